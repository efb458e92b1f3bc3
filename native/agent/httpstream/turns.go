package httpstream

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// sequence is the header in which the host numbers the requests of a connection, from 1. Package http begins requests in any order.
const sequence = "A3s-Sequence"

type turnsKey struct{}

// turns has the requests of a connection begin in the order of their numbers, and one at a time.
type turns struct {
	patience time.Duration
	// calling is held by whoever calls a handler.
	calling sync.Mutex

	mu sync.Mutex
	// next is the number whose turn it is; busy: its request has begun to be begun.
	next    uint64
	busy    bool
	waiting map[uint64]chan struct{}
}

func newTurns(patience time.Duration) *turns {
	return &turns{patience: patience, next: 1, waiting: map[uint64]chan struct{}{}}
}

func (t *turns) call(handler func()) {
	t.calling.Lock()
	defer t.calling.Unlock()
	handler()
}

// enter waits for the turn of a request, and answers how it ends. A request without a number, or with one that has been, has none.
func (t *turns) enter(r *http.Request) (leave func()) {
	number, err := strconv.ParseUint(r.Header.Get(sequence), 10, 64)
	if err != nil {
		return func() {}
	}
	turn := t.reserve(number)
	if turn == nil {
		return func() {}
	}
	for {
		timer := time.NewTimer(t.patience)
		select {
		case <-turn:
			timer.Stop()
			return func() { t.leave(number) }
		case <-timer.C:
			t.skip(number)
		}
	}
}

// reserve answers what is closed when the turn comes; nil where it has been.
func (t *turns) reserve(number uint64) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, twice := t.waiting[number]; twice || number < t.next || number == t.next && t.busy {
		return nil
	}
	turn := make(chan struct{})
	t.waiting[number] = turn
	t.grant()
	return turn
}

// grant begins the turn of the next request, if that is there; the caller holds the lock.
func (t *turns) grant() {
	if turn := t.waiting[t.next]; turn != nil && !t.busy {
		t.busy = true
		delete(t.waiting, t.next)
		close(turn)
	}
}

// skip gives up the requests before one that has waited, if none of them is there.
func (t *turns) skip(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy {
		return
	}
	for other := range t.waiting {
		if other < number {
			return
		}
	}
	t.next = number
	t.grant()
}

func (t *turns) leave(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next, t.busy = number+1, false
	t.grant()
}
