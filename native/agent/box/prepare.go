package box

import (
	"runtime"
	"syscall"
)

// Prepare does all of a box's set-up that does not depend on its spec. After it, until Wake, every other verb fails with ErrAsleep;
// so it does for ever when this fails.
func (b *Box) Prepare() error {
	if err := b.fallAsleep(); err != nil {
		return err
	}
	if err := b.drivers(UseNIC); err != nil {
		return err
	}
	// Not at the end: it empties the allocator's caches, which every copy would fill again.
	runtime.GC()
	if err := b.makeGround(expectedProtection); err != nil {
		return err
	}
	if err := b.ground.prepare(b.launcher); err != nil {
		return err
	}
	if _, err := b.launcher.cgroup.limit(&Resources{MemoryBytes: &expectedMemory}); err != nil {
		return err
	}
	if _, err := b.launcher.cgroup.oomKills(); err != nil {
		return err
	}
	if err := b.standby.keep(); err != nil {
		return err
	}
	b.filters.of(capabilitySet(expectedCapabilities))
	// What is dirty would be written by every copy.
	syscall.Sync()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prepared = true
	return nil
}

func (b *Box) fallAsleep() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return ErrStopping
	case b.asleep || b.spec != nil || b.ground != nil:
		return ErrPrepared
	}
	b.asleep = true
	return nil
}
