package httpstream

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// sequence is the header in which the host numbers the requests of a connection, from 1. Package
// http begins requests in any order.
const sequence = "A3s-Sequence"

type requestQueueKey struct{}

// requestQueue begins the requests of a connection in the order of their numbers, one at a time.
type requestQueue struct {
	timeout time.Duration
	// calling is locked while a handler runs.
	calling sync.Mutex

	mu sync.Mutex
	// next is the number of the request that begins next. busy says that this request has entered,
	// and not left. waiting holds a channel for each request that has arrived, which is closed when
	// the request may begin.
	next    uint64
	busy    bool
	waiting map[uint64]chan struct{}
}

func newRequestQueue(timeout time.Duration) *requestQueue {
	return &requestQueue{timeout: timeout, next: 1, waiting: map[uint64]chan struct{}{}}
}

func (q *requestQueue) call(handler func()) {
	q.calling.Lock()
	defer q.calling.Unlock()
	handler()
}

// enter waits until the request may begin, and returns a function that lets the next one begin. A
// request without a number, or with a number that was used, does not wait.
func (q *requestQueue) enter(r *http.Request) (leave func()) {
	number, err := strconv.ParseUint(r.Header.Get(sequence), 10, 64)
	if err != nil {
		return func() {}
	}
	turn := q.reserve(number)
	if turn == nil {
		return func() {}
	}
	for {
		timer := time.NewTimer(q.timeout)
		select {
		case <-turn:
			timer.Stop()
			return func() { q.leave(number) }
		case <-timer.C:
			q.skip(number)
		}
	}
}

// reserve returns a channel that is closed when the request may begin, and nil for a number that
// was used.
func (q *requestQueue) reserve(number uint64) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, twice := q.waiting[number]; twice || number < q.next || number == q.next && q.busy {
		return nil
	}
	turn := make(chan struct{})
	q.waiting[number] = turn
	q.grant()
	return turn
}

// grant lets the next request begin if it has arrived. The caller holds the lock.
func (q *requestQueue) grant() {
	if turn := q.waiting[q.next]; turn != nil && !q.busy {
		q.busy = true
		delete(q.waiting, q.next)
		close(turn)
	}
}

// skip gives up the missing requests before this one, if none with a lower number waits and none
// has entered.
func (q *requestQueue) skip(number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy {
		return
	}
	for other := range q.waiting {
		if other < number {
			return
		}
	}
	q.next = number
	q.grant()
}

func (q *requestQueue) leave(number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next, q.busy = number+1, false
	q.grant()
}
