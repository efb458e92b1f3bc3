package box

import (
	"net"
	"runtime"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Listen listens on a TCP address of the box's network, for the agent itself.
func (b *Box) Listen(address string) (net.Listener, error) {
	b.mu.Lock()
	ready := b.ready
	b.mu.Unlock()
	if !ready {
		return nil, ErrSpecMissing
	}
	type listening struct {
		listener net.Listener
		err      error
	}
	done := make(chan listening)
	go func() {
		// Never unlocked: the thread, which is in the box's network, ends with this function. A
		// socket stays where it was made.
		runtime.LockOSThread()
		if err := linux.SetNamespace(b.sandbox.Namespaces.Network, syscall.CLONE_NEWNET); err != nil {
			done <- listening{nil, err}
			return
		}
		listener, err := net.Listen("tcp4", address)
		done <- listening{listener, err}
	}()
	l := <-done
	return l.listener, l.err
}
