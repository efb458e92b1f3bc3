package server

import (
	"sync"
	"sync/atomic"
)

// maxJobs bounds the requests that wait for the set-up of the guest.
const maxJobs = 64

// requestQueue begins requests in the order in which they came, where one needs the result of
// another: a host may send the spec, the start of the main process and all that follows it at once,
// without waiting for each answer. One goroutine, whose stack has grown already when a copy of the
// guest begins, sets the guest up. All other requests wait for that, and for the start of their
// process.
type requestQueue struct {
	jobs chan func()
	// ended: the guest ends, and no request is started any more.
	ended atomic.Bool

	mu sync.Mutex
	// closed: no job is taken any more.
	closed bool
	// done is closed after the last job; nil: no job waits.
	done chan struct{}
	// last has a channel for every process with requests that wait. It is closed once the last of
	// them has started.
	last map[string]chan struct{}
}

func newRequestQueue() *requestQueue {
	q := &requestQueue{jobs: make(chan func(), maxJobs), last: map[string]chan struct{}{}}
	go func() {
		for job := range q.jobs {
			job()
		}
	}()
	return q
}

// setUp does a job after all earlier ones; false when too many wait.
func (q *requestQueue) setUp(job func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	done := make(chan struct{})
	select {
	case q.jobs <- func() {
		job()
		q.mu.Lock()
		if q.done == done {
			q.done = nil
		}
		q.mu.Unlock()
		close(done)
	}:
		q.done = done
		return true
	default:
		return false
	}
}

// close ends the goroutine after the jobs that wait.
func (q *requestQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.jobs)
	}
}

// settled returns a channel that is closed once the set-up that is asked for is done; nil where
// there is none.
func (q *requestQueue) settled() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.done
}

// after calls a function, which must not block, once the earlier jobs are done and the process with
// this id, if a job is to start it, is started. It calls it at once when there is nothing to wait
// for. Requests for one process begin in the order in which they came, so of two writers the first
// has the input.
func (q *requestQueue) after(id string, begin func()) {
	q.mu.Lock()
	done, earlier := q.done, q.last[id]
	if done == nil && earlier == nil {
		q.mu.Unlock()
		begin()
		return
	}
	started := make(chan struct{})
	if id != "" {
		q.last[id] = started
	}
	q.mu.Unlock()
	go q.startInOrder(id, started, done, earlier, begin)
}

// start starts a process in a goroutine, so that a slow start holds up only the requests for this
// process.
func (q *requestQueue) start(id string, begin func()) {
	q.mu.Lock()
	done, earlier := q.done, q.last[id]
	started := make(chan struct{})
	q.last[id] = started
	q.mu.Unlock()
	go q.startInOrder(id, started, done, earlier, begin)
}

func (q *requestQueue) startInOrder(id string, started, done, earlier chan struct{}, begin func()) {
	wait(done)
	wait(earlier)
	begin()
	q.mu.Lock()
	if q.last[id] == started {
		delete(q.last, id)
	}
	q.mu.Unlock()
	close(started)
}

func wait(done <-chan struct{}) {
	if done != nil {
		<-done
	}
}
