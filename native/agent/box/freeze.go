package box

import "errors"

// Freeze lets no process of the box run until Thaw. When it returns, none does.
func (b *Box) Freeze() error {
	if b.Digest() == "" {
		return ErrSpecMissing
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

// Thaw lets them run again; those of a box that is not frozen do already.
func (b *Box) Thaw() error {
	err := b.launcher.Cgroup.Thaw()
	if err == nil {
		b.setFrozen(false)
	}
	return err
}
