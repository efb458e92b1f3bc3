package box

import "sync"

// touches are done one after the other: a file server of the host that hangs holds up no more than
// one thread.
type touches struct{ mu sync.Mutex }

// Change is a path that the host has changed: the tag of a share, and a relative path in it; an
// empty one is the root of the share.
type Change struct{ Share, Path string }

// Touch tells the box's watchers of changes, also while the box is frozen, and returns how many it
// could tell of. It cannot tell of a file that the share's file server may not touch, nor of a
// share that is read-only.
func (b *Box) Touch(changes []Change) (int, error) {
	if err := b.own(); err != nil {
		return 0, err
	}
	b.touches.mu.Lock()
	defer b.touches.mu.Unlock()
	touched := 0
	for _, change := range changes {
		share, found := b.sandbox.Shares[change.Share]
		if found && share.Touch(change.Path) == nil {
			touched++
		}
	}
	return touched, nil
}
