package server

import (
	"slices"
	"sync"
	"testing"
)

// notes are what was begun, in order.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, text)
}

func (n *notes) are(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.list, want) {
		t.Errorf("got %v, want %v", n.list, want)
	}
}

func TestWithNothingToWaitForARequestBeginsAtOnce(t *testing.T) {
	var n notes
	newOrder().after("a", func() { n.add("one") })
	n.are(t, "one")
}

func TestSetUpIsDoneInOrderAndAllElseAfterIt(t *testing.T) {
	o := newOrder()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	o.setUp(func() { <-hold; n.add("spec") })
	o.setUp(func() { n.add("start") })
	o.after("main", func() { n.add("output"); close(ended) })
	n.are(t)
	close(hold)
	<-ended
	n.are(t, "spec", "start", "output")
}

func TestAStartHoldsUpWhatIsAskedOfItsProcessOnly(t *testing.T) {
	o := newOrder()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	o.start("a", func() { <-hold; n.add("start a") })
	o.after("a", func() { n.add("output a"); close(ended) })
	o.after("b", func() { n.add("output b") })
	n.are(t, "output b")
	close(hold)
	<-ended
	n.are(t, "output b", "start a", "output a")
}

func TestTwoStartsOfOneIDAreInOrder(t *testing.T) {
	o := newOrder()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	o.start("a", func() { <-hold; n.add("one") })
	o.start("a", func() { n.add("two") })
	o.after("a", func() { n.add("three"); close(ended) })
	close(hold)
	<-ended
	n.are(t, "one", "two", "three")
}

func TestWhatWaitsForSetUpIsBounded(t *testing.T) {
	o := newOrder()
	hold, begun := make(chan struct{}), make(chan struct{})
	o.setUp(func() { close(begun); <-hold })
	<-begun
	for range maxJobs {
		if !o.setUp(func() {}) {
			t.Fatal("too few")
		}
	}
	if o.setUp(func() {}) {
		t.Error("one more was taken")
	}
	close(hold)
}

// The answer to a start is on its way before the start counts as done: what the host asks for then must not overtake one another.
func TestRequestsOfAProcessAreBegunAsTheyCame(t *testing.T) {
	for range 200 {
		o := newOrder()
		answered, release := make(chan struct{}), make(chan struct{})
		o.start("e1", func() {
			close(answered)
			<-release
		})
		<-answered
		got := make(chan int, 3)
		o.after("e1", func() { got <- 1 })
		close(release)
		o.after("e1", func() { got <- 2 })
		o.after("e1", func() { got <- 3 })
		for want := 1; want <= 3; want++ {
			if begun := <-got; begun != want {
				t.Fatalf("request %d was begun as number %d", begun, want)
			}
		}
		close(o.jobs)
	}
}
