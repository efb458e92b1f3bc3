package ratls

import (
	"slices"
	"testing"
	"time"
)

// fixture is a limiter whose clock the test moves, and that picks the last candidate.
type fixture struct {
	limiter
	clock  time.Time
	closed []string
}

func newFixture(size int) *fixture {
	f := &fixture{clock: time.Unix(1, 0)}
	f.limiter = limiter{
		size: size, protect: 2 * time.Second, hello: time.Second, now: func() time.Time { return f.clock }, pick: func(n int) int { return n - 1 },
	}
	return f
}

func (f *fixture) connect(name string) *member {
	return f.admit(func() { f.closed = append(f.closed, name) })
}

// come is a connection that sends its ClientHello at once.
func (f *fixture) come(name string) *member {
	m := f.connect(name)
	if m != nil {
		f.greet(m)
	}
	return m
}

func (f *fixture) wait(milliseconds time.Duration) {
	f.clock = f.clock.Add(milliseconds * time.Millisecond)
}

func (f *fixture) expect(t *testing.T, closed ...string) {
	t.Helper()
	if !slices.Equal(f.closed, closed) {
		t.Errorf("closed: %v, want %v", f.closed, closed)
	}
}

func TestANewConnectionIsProtected(t *testing.T) {
	f := newFixture(2)
	f.come("first")
	f.wait(1000)
	f.come("second")
	f.wait(999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
	f.expect(t)
	f.wait(1)
	if f.come("third") == nil {
		t.Error("it got no place")
	}
	f.expect(t, "first")
}

func TestOneThatSentNoClientHelloGoesFirst(t *testing.T) {
	f := newFixture(3)
	f.come("first")
	f.connect("silent")
	f.come("third")
	f.wait(2000)
	for range 2 {
		f.come("new")
	}
	f.expect(t, "silent", "third")
}

func TestOneThatSentNoClientHelloIsProtectedForLess(t *testing.T) {
	f := newFixture(2)
	f.come("first")
	f.connect("silent")
	f.wait(999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
	f.wait(1)
	f.come("third")
	f.expect(t, "silent")
}

func TestTheOneThatMakesRoomIsPicked(t *testing.T) {
	f := newFixture(4)
	for _, name := range []string{"a", "b", "c", "d"} {
		f.come(name)
	}
	f.wait(2000)
	var offered []int
	f.pick = func(n int) int {
		offered = append(offered, n)
		return 1
	}
	for range 3 {
		f.come("new")
	}
	f.expect(t, "b", "c", "d")
	if !slices.Equal(offered, []int{4, 3, 2}) {
		t.Errorf("picked of %v", offered)
	}
}

func TestEvidenceProtectsForAShortTime(t *testing.T) {
	f := newFixture(2)
	answered := f.ask(f.come("attests"))
	f.wait(60_000)
	f.come("second")
	f.wait(2000)
	f.come("third")
	// Evidence is waited for as long as it takes.
	f.expect(t, "second")
	answered()
	f.wait(1999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
	f.wait(1)
	f.leave(f.members[1])
	f.come("fourth")
	f.come("fifth")
	f.expect(t, "second", "attests")
}

func TestEvidenceProtectsAtMostHalfOfTheConnections(t *testing.T) {
	f := newFixture(4)
	for _, name := range []string{"a", "b", "c", "d"} {
		f.ask(f.come(name))()
	}
	f.wait(1000)
	second := f.members[1]
	f.leave(second)
	late := f.come("late")
	f.ask(late)()
	f.wait(1000)
	// They came at the same time, and the evidence of all of them is as old.
	for range 3 {
		f.come("new")
	}
	f.expect(t, "d", "c", "a")
	f.wait(999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
}

func TestOneWithoutAProtectionOfItsEvidenceHasThatOfANewOne(t *testing.T) {
	f := newFixture(2)
	f.ask(f.come("settled"))
	f.wait(500)
	second := f.come("second")
	answered := f.ask(second)
	f.wait(1000)
	answered()
	f.wait(999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
	f.wait(1)
	f.come("new")
	f.expect(t, "second")
}

func TestAPlaceThatIsFreeWhenTheEvidenceComesIsTaken(t *testing.T) {
	f := newFixture(2)
	first := f.come("first")
	f.ask(first)
	answered := f.ask(f.come("second"))
	f.leave(first)
	f.wait(1500)
	answered()
	f.come("third")
	f.wait(1999)
	if f.come("early") != nil {
		t.Error("it took the place of one that is protected")
	}
	f.wait(1)
	f.come("fourth")
	f.expect(t, "third")
}

func TestOnlyADeliveredSecretProlongsTheProtection(t *testing.T) {
	f := newFixture(2)
	injecting := f.come("injecting")
	f.ask(injecting)()
	f.come("idle")
	f.wait(1500)
	f.delivered(injecting)
	f.ask(injecting)()
	f.wait(1000)
	f.come("new")
	f.expect(t, "idle")
	f.ask(injecting)()
	f.wait(1000)
	f.come("next")
	f.expect(t, "idle", "injecting")
}
