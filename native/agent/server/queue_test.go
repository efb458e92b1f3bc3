package server

import (
	"slices"
	"sync"
	"testing"
)

// notes are what was started, in order.
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
	newRequestQueue().after("a", func() { n.add("one") })
	n.are(t, "one")
}

func TestSetUpIsDoneInOrderAndAllElseAfterIt(t *testing.T) {
	q := newRequestQueue()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	q.setUp(func() { <-hold; n.add("spec") })
	q.setUp(func() { n.add("start") })
	q.after("main", func() { n.add("output"); close(ended) })
	n.are(t)
	close(hold)
	<-ended
	n.are(t, "spec", "start", "output")
}

func TestAStartHoldsUpWhatIsAskedOfItsProcessOnly(t *testing.T) {
	q := newRequestQueue()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	q.start("a", func() { <-hold; n.add("start a") })
	q.after("a", func() { n.add("output a"); close(ended) })
	q.after("b", func() { n.add("output b") })
	n.are(t, "output b")
	close(hold)
	<-ended
	n.are(t, "output b", "start a", "output a")
}

func TestTwoStartsOfOneIDAreInOrder(t *testing.T) {
	q := newRequestQueue()
	var n notes
	hold, ended := make(chan struct{}), make(chan struct{})
	q.start("a", func() { <-hold; n.add("one") })
	q.start("a", func() { n.add("two") })
	q.after("a", func() { n.add("three"); close(ended) })
	close(hold)
	<-ended
	n.are(t, "one", "two", "three")
}

func TestWhatWaitsForSetUpIsBounded(t *testing.T) {
	q := newRequestQueue()
	hold, started := make(chan struct{}), make(chan struct{})
	q.setUp(func() { close(started); <-hold })
	<-started
	for range maxJobs {
		if !q.setUp(func() {}) {
			t.Fatal("too few")
		}
	}
	if q.setUp(func() {}) {
		t.Error("one more was taken")
	}
	close(hold)
}

// The answer to a start is on its way before the start counts as done: what the host asks for then
// must not overtake one another.
func TestRequestsOfAProcessAreBegunAsTheyCame(t *testing.T) {
	for range 200 {
		q := newRequestQueue()
		answered, release := make(chan struct{}), make(chan struct{})
		q.start("e1", func() {
			close(answered)
			<-release
		})
		<-answered
		got := make(chan int, 3)
		q.after("e1", func() { got <- 1 })
		close(release)
		q.after("e1", func() { got <- 2 })
		q.after("e1", func() { got <- 3 })
		for want := 1; want <= 3; want++ {
			if started := <-got; started != want {
				t.Fatalf("request %d was started as number %d", started, want)
			}
		}
		close(q.jobs)
	}
}

func TestAQueueThatIsClosedDoesWhatWaitsAndTakesNothingMore(t *testing.T) {
	q := newRequestQueue()
	if q.settled() != nil {
		t.Error("something is set up")
	}
	hold := make(chan struct{})
	q.setUp(func() { <-hold })
	settled := q.settled()
	q.close()
	q.close()
	if q.setUp(func() {}) {
		t.Error("a job was taken")
	}
	close(hold)
	<-settled
	if q.settled() != nil {
		t.Error("something is still set up")
	}
}
