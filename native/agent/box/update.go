package box

import (
	"errors"
	"strconv"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/uevent"
)

// MemoryError is a memory limit above what the guest can give the box.
type MemoryError struct{ Asked, Most int64 }

// Error names both sizes.
func (e *MemoryError) Error() string {
	return "the box cannot have " + strconv.FormatInt(e.Asked, 10) + " bytes of memory: its microVM was started with enough for " +
		strconv.FormatInt(e.Most, 10)
}

// PutResources replaces all limits of the box. Limits of single processes apply to processes that
// are started from now on. One goroutine at a time calls it.
func (b *Box) PutResources(resources *spec.Resources) error {
	if err := spec.CheckResources(resources, ""); err != nil {
		return err
	}
	started, err := b.present()
	if err != nil {
		return err
	}
	if asked := resources.MemoryBytes; asked != nil {
		if err := b.expectMemory(*asked, started); err != nil {
			return err
		}
	}
	if _, err := b.launcher.Cgroup.Limit(resources); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ulimits = resources.Ulimits
	return nil
}

// expectMemory refuses more memory than the guest has for a box. Where memory can be attached, it
// waits for what the host has just attached: the kernel takes it some time later.
func (b *Box) expectMemory(asked int64, started *int64) error {
	var most int64
	enough := func() (struct{}, bool, error) {
		var err error
		most, err = cgroup.MemoryLimit(nil)
		// The box may have again what it was started with, which includes the guest's own share.
		if started != nil {
			most = max(most, *started)
		}
		return struct{}{}, asked <= most, err
	}
	_, done, err := enough()
	if err == nil && !done && b.prepared {
		_, err = uevent.Wait(layers.AttachDeadline, enough)
	}
	if errors.Is(err, uevent.ErrDeadline) || err == nil && asked > most {
		return &MemoryError{asked, most}
	}
	return err
}

// present returns the memory that the box was started with.
func (b *Box) present() (memory *int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.expectReady(); err != nil {
		return nil, err
	}
	return b.spec.Resources.MemoryBytes, nil
}
