package ratls

import (
	"slices"
	"sync"
)

// crowd bounds the connections. When it is full, a newcomer takes the place of the one that has been there longest of those that have not
// asked for evidence yet: whoever opens connections and leaves them half-open crowds out only the likes of itself.
type crowd struct {
	size int

	mu sync.Mutex
	// members are in the order in which they came.
	members []*member
	closed  bool
}

type member struct {
	close   func()
	settled bool
}

// admit answers nil where there is no place.
func (c *crowd) admit(close func()) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	if len(c.members) >= c.size {
		oldest := slices.IndexFunc(c.members, func(m *member) bool { return !m.settled })
		if oldest < 0 {
			return nil
		}
		// Closing a connection waits for nobody.
		c.members[oldest].close()
		c.members = slices.Delete(c.members, oldest, oldest+1)
	}
	m := &member{close: close}
	c.members = append(c.members, m)
	return m
}

// settle keeps a member's place.
func (c *crowd) settle(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.settled = true
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
