package box

import (
	"errors"
	"time"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/strictjson"
)

// Errors of guests that templates and forks are made of.
var (
	// ErrPaused is a guest that was prepared and not reseeded: until then it does nothing else.
	ErrPaused = errors.New("the guest was prepared and not reseeded yet")
	// ErrNotPaused is a guest that was reseeded already, or never prepared.
	ErrNotPaused = errors.New("the guest was reseeded already, or never prepared")
	// ErrPrepared is a guest that cannot be prepared: it was already, or has a spec.
	ErrPrepared = errors.New("the guest was prepared already, or has a spec")
	// ErrNetwork is a MAC address for a box without a network device, or none for a box with one.
	ErrNetwork = errors.New("a MAC address belongs to a box with a network device, and to no other")
)

// Paused says whether the guest was prepared and not reseeded.
func (b *Box) Paused() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused
}

// Reseed gives an identity to a guest that started from a template: random numbers, the time, and
// an id (a lower-case UUID). Where that fails, the guest stays paused.
func (b *Box) Reseed(entropy []byte, now time.Time, machineID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopping {
		return ErrStopping
	}
	// A guest whose preparation failed stays paused.
	if !b.paused || !b.prepared {
		return ErrNotPaused
	}
	if err := b.sandbox.Renew(entropy, now, machineID); err != nil {
		return err
	}
	b.paused = false
	return nil
}

// Fork gives an identity to a fork, whose main process is frozen: what Reseed gives,
// and a host name, and a MAC address where the box has an eth0 (nil where it has none). Connections
// that lead out of the box end.
func (b *Box) Fork(entropy []byte, now time.Time, machineID, hostname string, mac *string) error {
	if !spec.IsHostname(hostname) {
		return &strictjson.Error{Path: "hostname", Reason: "is not a host name"}
	}
	if mac != nil && !spec.IsMAC(*mac) {
		return &strictjson.Error{Path: "mac", Reason: "is not a MAC address in lower case"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.expectOwn(); err != nil {
		return err
	}
	if b.handles[MainID].Report().State != process.StateRunning {
		return process.ErrNotRunning
	}
	// A process that ran would use the identity of the source.
	if frozen, err := b.launcher.Cgroup.Frozen(); err != nil || !frozen {
		return errors.Join(err, cgroup.ErrNotFrozen)
	}
	if (mac != nil) != b.sandbox.HasNIC() {
		return ErrNetwork
	}
	if err := b.sandbox.Renew(entropy, now, machineID); err != nil {
		return err
	}
	if err := b.sandbox.Rename(hostname, b.spec); err != nil {
		return err
	}
	if mac == nil {
		return nil
	}
	return b.sandbox.Readdress(mac)
}

// BootID returns the boot id that the box reads. It is empty in a guest that is paused, since the
// kernel makes its boot id when a process first reads it.
func (b *Box) BootID() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.paused {
		return "", nil
	}
	if b.sandbox != nil && b.sandbox.BootID != "" {
		return b.sandbox.BootID, nil
	}
	return rootfs.KernelBootID()
}
