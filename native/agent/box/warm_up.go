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

// rehearsalTime is how long the main process of a rehearsal may take.
const warmUpTime = 30 * time.Second

var errWarmUp = errors.New("the main process of the rehearsal did not end")

// WarmUp does what the guest will be asked for: it takes an identity, sets a box up by a spec, and runs its main process to the
// end; in namespaces that are gone afterwards, besides the ones that wait for the real box. An emulated processor, and the
// caches of kernel and agent, know that code then.
//
// The spec has the prepared disk of changes, and no shares. The report is that of the main process.
func (b *Box) WarmUp(data []byte, now time.Time, entropy []byte, machineID string) (report process.Report, err error) {
	spec, err := spec.Parse(data)
	if err != nil {
		return report, err
	}
	sum := sha256.Sum256(data)
	b.mu.Lock()
	stopping, sleeps := b.stopping, b.asleep && b.prepared
	b.mu.Unlock()
	switch {
	case stopping:
		return report, ErrStopping
	case !sleeps:
		return report, ErrNotAsleep
	}
	// Wake replaces it.
	if err := b.sandbox.Renew(entropy, now, machineID); err != nil {
		return report, err
	}
	if _, err := b.launcher.Cgroup.Limit(&spec.Resources); err != nil {
		return report, err
	}
	// What the thread returns to, so that nothing keeps the rehearsal's mounts.
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

// perform runs the rehearsal's box, which has the devices of a prepared guest.
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
