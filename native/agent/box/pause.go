package box

import "errors"

// Freeze freezes all processes of the box until Thaw. When it returns, all are frozen.
func (b *Box) Freeze() error {
	if b.Digest() == "" {
		return ErrSpecMissing
	}
	// A frozen pod could have no new containers: the agent is in their groups while it makes them.
	if err := b.own(); err != nil {
		return err
	}
	b.setFrozen(true)
	if err := b.launcher.Cgroup.Freeze(); err != nil {
		return errors.Join(err, b.Thaw())
	}
	return nil
}

func (b *Box) setFrozen(frozen bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = frozen
}

// Thaw lets the processes run again. It does nothing to a box that is not frozen.
func (b *Box) Thaw() error {
	err := b.launcher.Cgroup.Thaw()
	if err == nil {
		b.setFrozen(false)
	}
	return err
}
