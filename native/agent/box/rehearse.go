package box

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
)

// rehearsalTime is how long the main process of a rehearsal may take.
const rehearsalTime = 30 * time.Second

var errRehearsal = errors.New("the main process of the rehearsal did not end")

// Rehearse does what the guest will be asked for: it takes an identity, sets a box up by a spec, and runs its main process to the
// end; in namespaces that are gone afterwards, besides the ones that wait for the real box. An emulated processor, and the
// caches of kernel and agent, know that code then.
//
// The spec has the prepared disk of changes, and no shares. The report is that of the main process.
func (b *Box) Rehearse(data []byte, now time.Time, entropy []byte, machineID string) (report Report, err error) {
	spec, err := ParseSpec(data)
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
	if err := b.ground.renew(entropy, now, machineID); err != nil {
		return report, err
	}
	if _, err := b.launcher.cgroup.limit(&spec.Resources); err != nil {
		return report, err
	}
	// What the thread returns to, so that nothing keeps the rehearsal's mounts.
	outside, err := linux.OpenAt(-1, "/proc/thread-self/ns/mnt", syscall.O_RDONLY, 0, 0)
	if err != nil {
		return report, err
	}
	defer syscall.Close(outside)
	main := NewHandle(MainID)
	r := &Box{
		launcher: b.launcher, spec: spec, digest: hex.EncodeToString(sum[:]), ready: true,
		handles: map[string]*Handle{MainID: main},
	}
	r.filters.capabilities, r.filters.program = b.filters.capabilities, b.filters.program
	if r.ground, err = newGround(r.launcher, protectionOf(spec)); err == nil {
		err = r.perform(b.ground)
	}
	if r.ground != nil {
		err = errors.Join(err, r.ground.leaveRehearsal(outside))
	}
	return main.Report(), err
}

// perform runs the rehearsal's box, which has the devices of a prepared guest.
func (r *Box) perform(prepared *ground) error {
	if err := r.ground.rehearse(r.launcher, prepared, r.spec); err != nil {
		return err
	}
	h, err := r.Start()
	if err != nil {
		return err
	}
	select {
	case <-h.Complete():
		return nil
	case <-time.After(rehearsalTime):
		return errors.Join(errRehearsal, h.Signal(syscall.SIGKILL))
	}
}
