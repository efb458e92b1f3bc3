package server

import (
	"sync"
	"sync/atomic"
)

// maxJobs bounds what waits for the guest to be set up.
const maxJobs = 64

// order begins requests in the order in which they came, where one needs what another does: a host may send the spec, the start of the
// main process and all that follows it at once, without waiting for each answer. What sets the guest up is done by one goroutine,
// whose stack has grown already when a copy of the guest begins; all else waits for that, and for the start of its process.
type order struct {
	jobs chan func()
	// ended: the guest ends, and nothing is begun any more.
	ended atomic.Bool

	mu sync.Mutex
	// done is closed with the last job that was given so far; nil: there is none.
	done chan struct{}
	// last is closed once the last request of a process that had to wait is begun; a process without such a request is not there.
	last map[string]chan struct{}
}

func newOrder() *order {
	o := &order{jobs: make(chan func(), maxJobs), last: map[string]chan struct{}{}}
	go func() {
		for job := range o.jobs {
			job()
		}
	}()
	return o
}

// setUp has a job done after all that were given before; false when there are too many.
func (o *order) setUp(job func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(chan struct{})
	select {
	case o.jobs <- func() {
		job()
		o.mu.Lock()
		if o.done == done {
			o.done = nil
		}
		o.mu.Unlock()
		close(done)
	}:
		o.done = done
		return true
	default:
		return false
	}
}

// after calls a function, which does not wait for anything, once the guest is set up as far as was asked for, and the process with an id
// is started if that was asked for: at once when there is nothing to wait for. What waits is begun in the order in which it came, and
// what comes later for the same process waits for that: of two writers, the first has the input.
func (o *order) after(id string, begin func()) {
	o.mu.Lock()
	done, earlier := o.done, o.last[id]
	if done == nil && earlier == nil {
		o.mu.Unlock()
		begin()
		return
	}
	begun := make(chan struct{})
	if id != "" {
		o.last[id] = begun
	}
	o.mu.Unlock()
	go o.inTurn(id, begun, done, earlier, begin)
}

// start starts a process beside all else, so that one which takes long holds up none but what is asked of itself.
func (o *order) start(id string, begin func()) {
	o.mu.Lock()
	done, earlier := o.done, o.last[id]
	begun := make(chan struct{})
	o.last[id] = begun
	o.mu.Unlock()
	go o.inTurn(id, begun, done, earlier, begin)
}

func (o *order) inTurn(id string, begun, done, earlier chan struct{}, begin func()) {
	wait(done)
	wait(earlier)
	begin()
	o.mu.Lock()
	if o.last[id] == begun {
		delete(o.last, id)
	}
	o.mu.Unlock()
	close(begun)
}

func wait(done chan struct{}) {
	if done != nil {
		<-done
	}
}
