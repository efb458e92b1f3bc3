package ratls

import (
	"testing"
	"time"
)

// gathering is a crowd whose time stands still, and who of it was closed.
func gathering(size int) (c *crowd, now *time.Time, closed map[string]bool, admit func(name string) *member) {
	now = &time.Time{}
	*now = time.Unix(1, 0)
	closed = map[string]bool{}
	c = &crowd{size: size, keeps: 30 * time.Second, now: func() time.Time { return *now }}
	return c, now, closed, func(name string) *member { return c.admit(func() { closed[name] = true }) }
}

// A stranger who is challenged on every connection, and keeps all of them busy, would otherwise shut everybody else out until the end of the box.
func TestThoseWhoAttestedDoNotKeepTheirPlacesForEver(t *testing.T) {
	c, now, closed, admit := gathering(2)
	for _, name := range []string{"first", "second"} {
		c.settle(admit(name))
		*now = now.Add(10 * time.Second)
	}
	if admit("early") != nil || len(closed) != 0 {
		t.Errorf("closed: %v", closed)
	}
	*now = now.Add(10 * time.Second)
	if admit("third") == nil || !closed["first"] || len(closed) != 1 {
		t.Errorf("closed: %v", closed)
	}
	// The newcomer has not settled.
	if admit("fourth") == nil || !closed["third"] || closed["second"] {
		t.Errorf("closed: %v", closed)
	}
}

func TestToAskOnceMoreProlongsNothing(t *testing.T) {
	c, now, closed, admit := gathering(1)
	first := admit("first")
	c.settle(first)
	*now = now.Add(30 * time.Second)
	c.settle(first)
	if admit("second") == nil || !closed["first"] {
		t.Errorf("closed: %v", closed)
	}
}
