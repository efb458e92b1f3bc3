package ratls

import (
	"slices"
	"sync"
	"time"
)

// crowd bounds the connections. When it is full, a newcomer takes the place of the one that has been there longest of those that have not
// asked for evidence yet: whoever opens connections and leaves them half-open crowds out only the likes of itself. Without any such it takes
// the place of the one that asked first, once that had its time: evidence is for everybody, so having asked for it keeps nobody out for ever.
type crowd struct {
	size int
	// keeps is how long a settled member has its place for sure.
	keeps time.Duration
	now   func() time.Time

	mu sync.Mutex
	// members are in the order in which they came.
	members []*member
	closed  bool
}

type member struct {
	close func()
	// settled is when it asked for evidence first; zero before.
	settled time.Time
}

// admit answers nil where there is no place.
func (c *crowd) admit(close func()) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	if len(c.members) >= c.size {
		yields := c.yields()
		if yields < 0 {
			return nil
		}
		// Closing a connection waits for nobody.
		c.members[yields].close()
		c.members = slices.Delete(c.members, yields, yields+1)
	}
	m := &member{close: close}
	c.members = append(c.members, m)
	return m
}

// yields is who has to make room, or -1; the caller holds the lock.
func (c *crowd) yields() int {
	if oldest := slices.IndexFunc(c.members, func(m *member) bool { return m.settled.IsZero() }); oldest >= 0 {
		return oldest
	}
	first := 0
	for index, m := range c.members {
		if m.settled.Before(c.members[first].settled) {
			first = index
		}
	}
	if c.now().Sub(c.members[first].settled) < c.keeps {
		return -1
	}
	return first
}

// settle keeps a member's place for its time, which asking once more does not prolong.
func (c *crowd) settle(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.settled.IsZero() {
		m.settled = c.now()
	}
}

func (c *crowd) leave(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(c.members, func(other *member) bool { return other == m })
}

// disperse closes all, and lets nobody in any more.
func (c *crowd) disperse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, m := range c.members {
		m.close()
	}
}
