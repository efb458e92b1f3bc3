package cgroup

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"a3s.dev/box/agent/linux"
)

// ErrNotFrozen says that the box is not frozen: one of its processes waits for a device, or the
// host did not freeze it before a fork.
var ErrNotFrozen = errors.New("the processes of the box are not frozen")

// freezeTime bounds the wait until all processes are frozen.
const freezeTime = 10 * time.Second

// Thaw lets the processes of the group run again.
func (c *Cgroup) Thaw() error { return os.WriteFile(c.Dir+"/cgroup.freeze", []byte("0"), 0) }

func (c *Cgroup) openEvents() (int, error) {
	return linux.OpenAt(-1, c.Dir+"/cgroup.events", syscall.O_RDONLY, 0, 0)
}

// Frozen says whether all processes of the group are frozen.
func (c *Cgroup) Frozen() (bool, error) {
	events, err := c.openEvents()
	if err != nil {
		return false, err
	}
	defer func() { _ = syscall.Close(events) }()
	return isFrozen(events)
}

// Freeze lets no process of the group run, and returns when none does; ErrNotFrozen where one still
// runs when the time is over.
func (c *Cgroup) Freeze() error {
	// Opened first, so that no change is missed.
	events, err := c.openEvents()
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(events) }()
	if err := os.WriteFile(c.Dir+"/cgroup.freeze", []byte("1"), 0); err != nil {
		return err
	}
	for end := time.Now().Add(freezeTime); ; {
		// Reading also arms the next wait.
		frozen, err := isFrozen(events)
		if err != nil || frozen {
			return err
		}
		left := time.Until(end)
		if left <= 0 {
			return ErrNotFrozen
		}
		if err := awaitChange(events, left); err != nil {
			return err
		}
	}
}

func isFrozen(events int) (bool, error) {
	buffer := make([]byte, 256)
	n, err := syscall.Pread(events, buffer, 0)
	if err != nil {
		return false, err
	}
	return strings.Contains(string(buffer[:n]), "frozen 1\n"), nil
}

// awaitChange waits until the kernel changes a file of a control group after the last read, or the
// time is over.
func awaitChange(fd int, atMost time.Duration) error {
	const priority = 2
	set := struct {
		fd              int32
		events, revents int16
	}{int32(fd), priority, 0}
	timeout := syscall.NsecToTimespec(int64(atMost))
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&set)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	if errno != 0 && errno != syscall.EINTR {
		return errno
	}
	return nil
}
