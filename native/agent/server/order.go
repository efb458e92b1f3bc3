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
	done   chan struct{}
	starts map[string]chan struct{}
}

func newOrder() *order {
	o := &order{jobs: make(chan func(), maxJobs), starts: map[string]chan struct{}{}}
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

// after calls a function once the guest is set up as far as was asked for, and the process with an id is started if that was asked
// for: at once when there is nothing to wait for.
func (o *order) after(id string, begin func()) {
	done, started := o.inFlight(id)
	if done == nil && started == nil {
		begin()
		return
	}
	go func() {
		wait(done)
		wait(started)
		begin()
	}()
}

func (o *order) inFlight(id string) (done, started chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done, o.starts[id]
}

// start starts a process beside all else, so that one which takes long holds up none but what is asked of itself.
func (o *order) start(id string, begin func()) {
	done, earlier := o.inFlight(id)
	started := make(chan struct{})
	o.mu.Lock()
	o.starts[id] = started
	o.mu.Unlock()
	go func() {
		wait(done)
		wait(earlier)
		begin()
		o.mu.Lock()
		if o.starts[id] == started {
			delete(o.starts, id)
		}
		o.mu.Unlock()
		close(started)
	}()
}

func wait(done chan struct{}) {
	if done != nil {
		<-done
	}
}
