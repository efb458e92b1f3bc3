package ratls

import (
	"slices"
	"sync"
	"time"
)

// limiter bounds the connections, in such a way that a stranger with any number of them keeps no
// relying party out for long:
//
//   - A connection is protected for a short time after it came, and for less as long as it has sent
//     no ClientHello. One that asks for evidence is protected while that is made and for the same
//     time after it, as long as such connections hold at most half of the places. One that has
//     delivered a secret has the same time for the next.
//   - Where all places are taken, a new connection takes that of one that is not protected: of one
//     that has sent no ClientHello, if there is any, and otherwise of one that is chosen at random.
//     Where all are protected it is refused, and its client tries again.
//
// So places become free at a rate that does not depend on how many connections a stranger opens.
type limiter struct {
	size int
	// protect is how long a connection is protected, and hello how long one without a ClientHello
	// is.
	protect, hello time.Duration
	now            func() time.Time
	// pick chooses one of so many at random.
	pick func(n int) int

	mu      sync.Mutex
	members []*member
	closed  bool
}

type member struct {
	close func()
	came  time.Time
	// until is when its protection ends.
	until time.Time
	// greeted: it has sent its ClientHello. asked: it has asked for evidence.
	greeted, asked bool
	// extended: its evidence prolongs its protection. attesting: that is being made.
	extended, attesting bool
}

// admit returns nil where there is no place.
func (l *limiter) admit(close func()) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	if len(l.members) >= l.size {
		candidates := l.candidates()
		if len(candidates) == 0 {
			return nil
		}
		evicted := candidates[l.pick(len(candidates))]
		// Closing a connection does not block.
		evicted.close()
		l.remove(evicted)
	}
	now := l.now()
	m := &member{close: close, came: now, until: now.Add(l.hello)}
	l.members = append(l.members, m)
	return m
}

// candidates are the members among which one is chosen to make room. The caller holds the lock.
func (l *limiter) candidates() []*member {
	var silent, others []*member
	now := l.now()
	for _, m := range l.members {
		switch {
		case m.protected(now):
		case !m.greeted:
			silent = append(silent, m)
		default:
			others = append(others, m)
		}
	}
	if len(silent) > 0 {
		return silent
	}
	return others
}

func (m *member) protected(now time.Time) bool { return m.attesting || now.Before(m.until) }

func (l *limiter) remove(m *member) {
	l.members = slices.DeleteFunc(l.members, func(other *member) bool { return other == m })
}

// greet: the member has sent its ClientHello.
func (l *limiter) greet(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.greeted = true
	m.until = m.came.Add(l.protect)
}

// ask: the member asks for evidence. To ask once more prolongs nothing.
func (l *limiter) ask(m *member) (answered func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.asked {
		return func() {}
	}
	m.asked = true
	m.extended = l.mayExtend()
	m.attesting = m.extended
	return func() { l.answered(m) }
}

// answered: what becomes of the member's first request for evidence is known.
func (l *limiter) answered(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.extended = m.extended || l.mayExtend()
	m.attesting = false
	if m.extended {
		m.until = l.now().Add(l.protect)
	}
}

// mayExtend says whether fewer than half of the places are held by evidence. The caller holds the
// lock.
func (l *limiter) mayExtend() bool {
	held := 0
	now := l.now()
	for _, m := range l.members {
		if m.extended && m.protected(now) {
			held++
		}
	}
	return 2*(held+1) <= l.size
}

// delivered: the member has injected a secret, which is possible once for each.
func (l *limiter) delivered(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.until = l.now().Add(l.protect)
}

func (l *limiter) leave(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(m)
}

// closeAll closes all connections, and admits none any more.
func (l *limiter) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, m := range l.members {
		m.close()
	}
}
