package box

import (
	"net"
	"runtime"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Listen listens on a TCP address of the box's network, for the agent itself.
func (b *Box) Listen(address string) (net.Listener, error) {
	return inNetwork(b, func() (net.Listener, error) { return net.Listen("tcp4", address) })
}

// inNetwork makes a socket in the box's network. A socket stays where it was made.
func inNetwork[T any](b *Box, socket func() (T, error)) (T, error) {
	var made T
	b.mu.Lock()
	ready := b.ready
	b.mu.Unlock()
	if !ready {
		return made, ErrSpecMissing
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread, which is in the box's network, ends with this function.
		runtime.LockOSThread()
		if err = linux.SetNamespace(b.sandbox.Namespaces.Network, syscall.CLONE_NEWNET); err == nil {
			made, err = socket()
		}
	}()
	<-done
	return made, err
}
