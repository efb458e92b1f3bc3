package box

import (
	"runtime"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
)

// Prepare does the part of a box's set-up that does not depend on its spec. After it, every other
// verb fails with ErrPaused until Reseed. If Prepare fails, they fail from then on.
func (b *Box) Prepare() error {
	if err := b.markPaused(); err != nil {
		return err
	}
	if err := b.drivers(spec.UseNIC); err != nil {
		return err
	}
	// The collection comes first: it empties the allocator's caches, which every copy would fill
	// again.
	runtime.GC()
	if err := b.makeSandbox(sandbox.ExpectedProtection); err != nil {
		return err
	}
	if err := b.sandbox.Prepare(b.launcher); err != nil {
		return err
	}
	if _, err := b.launcher.Cgroup.Limit(&spec.Resources{MemoryBytes: &sandbox.ExpectedMemory}); err != nil {
		return err
	}
	if _, err := b.launcher.Cgroup.OomKills(); err != nil {
		return err
	}
	if err := b.standby.Keep(); err != nil {
		return err
	}
	b.filters.Of(process.CapabilitySet(sandbox.ExpectedCapabilities))
	// Every copy would write the dirty pages.
	syscall.Sync()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prepared = true
	return nil
}

func (b *Box) markPaused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return ErrStopping
	case b.paused || b.spec != nil || b.sandbox != nil:
		return ErrPrepared
	}
	b.paused = true
	return nil
}
