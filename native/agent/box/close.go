package box

import (
	"errors"
	"syscall"
)

// Stop lets nothing new begin. It says whether this call was the first.
func (b *Box) Stop() bool {
	b.mu.Lock()
	first := !b.stopping
	b.stopping = true
	b.mu.Unlock()
	for _, c := range b.Containers() {
		c.Stop()
	}
	return first
}

// Close kills the processes left in the box and leaves its changes clean on their disk. It tries
// every step even if one fails.
func (b *Box) Close() error {
	b.mu.Lock()
	sandbox, standby := b.sandbox, b.standby
	b.mu.Unlock()
	// What they have open for writing would keep the disk from being clean.
	err := errors.Join(b.copies.end(), b.sockets.close(), b.resolver.close(), b.launcher.Cgroup.KillAll())
	for _, c := range b.Containers() {
		err = errors.Join(err, c.closeContainer())
	}
	err = errors.Join(err, b.closePids())
	if sandbox == nil {
		syscall.Sync()
		return err
	}
	return errors.Join(err, standby.End(), sandbox.End())
}
