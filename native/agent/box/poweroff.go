package box

import (
	"errors"
	"syscall"
	"time"
)

// stopDeadline bounds how long the end of the box is waited for before the guest is powered off all the same.
const stopDeadline = 10 * time.Second

// pollInterval is for what the kernel announces by no event.
const pollInterval = 5 * time.Millisecond

var errStillThere = errors.New("did not end in time")

// Stop lets nothing new begin. It says whether this call was the first.
func (b *Box) Stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.stopping
	b.stopping = true
	return first
}

// Close kills what is left in the box and leaves its changes clean on their disk. Every step is tried.
func (b *Box) Close() error {
	b.mu.Lock()
	ground := b.ground
	b.mu.Unlock()
	err := errors.Join(b.killAll(), b.spare.end())
	if ground != nil && ground.main != nil {
		// Even where there is no control group.
		err = errors.Join(err, ground.main.kill())
	}
	if ground != nil && ground.changes.Kind == ChangesEncrypted {
		err = errors.Join(err, abandonChanges())
	}
	syscall.Sync()
	if ground == nil {
		return err
	}
	err = errors.Join(err, ground.close())
	if ground.changes.Kind == "" {
		return err
	}
	if ground.changes.Kind == ChangesDisk {
		// Read-only is as clean as unmounted, and does not wait for the overlay to be gone.
		err = errors.Join(err, until("the changes", func() (bool, error) {
			remount := syscall.Mount("", changesDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
			if remount == syscall.EBUSY {
				return false, nil
			}
			return true, remount
		}))
	}
	return errors.Join(err, syscall.Unmount(changesDir, 0))
}

func (b *Box) killAll() error {
	if err := b.launcher.cgroup.kill(); err != nil {
		return err
	}
	return until("the box", func() (bool, error) {
		populated, err := b.launcher.cgroup.populated()
		return !populated, err
	})
}

func until(what string, done func() (bool, error)) error {
	for end := time.Now().Add(stopDeadline); ; time.Sleep(pollInterval) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return &deviceError{"power off", what, errStillThere}
		}
	}
}
