package box

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// warmUpTime bounds the run of the main process of a warm-up.
const warmUpTime = 30 * time.Second

var errWarmUp = errors.New("the main process of the warm-up did not end")

// WarmUp takes an identity, sets a box up by a spec, and runs its main process to the end, in a
// sandbox that is gone afterwards. The prepared sandbox stays as it is. An emulated processor has
// translated that code then, and the caches of kernel and agent are filled.
//
// The spec has the prepared writable layer, and no shares. The report is that of the main process.
func (b *Box) WarmUp(data []byte, now time.Time, entropy []byte, machineID string) (report process.Report, err error) {
	spec, err := spec.Parse(data)
	if err != nil {
		return report, err
	}
	sum := sha256.Sum256(data)
	b.mu.Lock()
	stopping, paused := b.stopping, b.paused && b.prepared
	b.mu.Unlock()
	switch {
	case stopping:
		return report, ErrStopping
	case !paused:
		return report, ErrNotPaused
	}
	// Reseed replaces this identity.
	if err := b.sandbox.Renew(entropy, now, machineID); err != nil {
		return report, err
	}
	if _, err := b.launcher.Cgroup.Limit(&spec.Resources); err != nil {
		return report, err
	}
	// The thread of the sandbox returns to this namespace, so that it does not keep the mounts of
	// the warm-up.
	outside, err := linux.OpenAt(-1, "/proc/thread-self/ns/mnt", syscall.O_RDONLY, 0, 0)
	if err != nil {
		return report, err
	}
	defer syscall.Close(outside)
	main := process.New(MainID)
	r := &Box{
		launcher: b.launcher, spec: spec, digest: hex.EncodeToString(sum[:]), ready: true,
		handles: map[string]*process.Handle{MainID: main},
	}
	r.filters.Capabilities, r.filters.Program = b.filters.Capabilities, b.filters.Program
	if r.sandbox, err = sandbox.New(r.launcher, rootfs.ProtectionOf(spec)); err == nil {
		err = r.runWarmUp(b.sandbox)
	}
	if r.sandbox != nil {
		err = errors.Join(err, r.sandbox.CloseWarmUp(outside))
	}
	return main.Report(), err
}

// runWarmUp runs the box of a warm-up, which has the disks of a prepared guest.
func (r *Box) runWarmUp(prepared *sandbox.Sandbox) error {
	if err := r.sandbox.SetUpWarmUp(r.launcher, prepared, r.spec); err != nil {
		return err
	}
	h, err := r.Start()
	if err != nil {
		return err
	}
	select {
	case <-h.Complete():
		return nil
	case <-time.After(warmUpTime):
		return errors.Join(errWarmUp, h.Signal(syscall.SIGKILL))
	}
}
