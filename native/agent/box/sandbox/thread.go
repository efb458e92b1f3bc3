package sandbox

import "runtime"

// thread runs functions on one thread of the agent that nothing else ever runs on, since it is in
// the box's namespaces.
type thread struct{ work chan func() }

func startThread() *thread {
	t := &thread{make(chan func())}
	go func() {
		// Never unlocked: the thread ends with this function.
		runtime.LockOSThread()
		for work := range t.work {
			work()
		}
	}()
	return t
}

// do runs a function on the thread, and returns its error.
func (t *thread) do(work func() error) error {
	done := make(chan error, 1)
	t.work <- func() { done <- work() }
	return <-done
}

// end ends the thread, which holds the namespaces until then.
func (t *thread) end() { close(t.work) }
