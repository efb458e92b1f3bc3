package process

import (
	"syscall"

	"a3s.dev/box/agent/signals"
)

// Wait makes a process wait that was not started yet.
func (h *Handle) Wait() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = StateWaiting
}

// StopWaiting says whether the process waited. It does not any more then, and the caller starts or
// ends it.
func (h *Handle) StopWaiting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != StateWaiting {
		return false
	}
	h.state = StateCreated
	return true
}

// endWaiting ends a process that waits by a signal that would have ended it, and says whether it
// waited.
func (h *Handle) endWaiting(signal syscall.Signal) bool {
	switch signal {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return false
	}
	if !h.StopWaiting() {
		return false
	}
	name := signals.Name(signal)
	h.end(&Exit{ExitCode: 128 + int(signal), Signal: &name})
	return true
}

// Fail ends a process that could not be started, with the exit code that the reason has.
func (h *Handle) Fail(reason *ExitError) { h.end(&Exit{ExitCode: exitCode(reason), Error: reason}) }

// end records the end of a process that never ran.
func (h *Handle) end(exit *Exit) {
	exit.FinishedAt = *timestamp()
	h.mu.Lock()
	h.state, h.exit = StateExited, exit
	h.mu.Unlock()
	close(h.ended)
	h.Input.processExited()
	h.Output.End()
	close(h.complete)
}
