package box

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// rehearsalDir is where a rehearsal's box writes, on the disk of changes; nothing of it is left.
const rehearsalDir = changesDir + "/rehearsal"

// rehearse sets up a box for a rehearsal, with the devices of a prepared guest.
func (g *ground) rehearse(l *launcher, prepared *ground, wanted *Spec) error {
	g.disks = prepared.disks
	for _, dir := range []string{rehearsalDir, rehearsalDir + upperName, rehearsalDir + workName} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	// Mounted where the agent is already.
	g.changes, g.changesAt = wanted.Rootfs.Changes, rehearsalDir
	if err := g.showChanges(); err != nil {
		return err
	}
	none, err := g.makeNetwork(&Network{Kind: NetworkNone}, nic{})
	if err != nil {
		return err
	}
	if wanted.Network.Kind != NetworkNone {
		// The device is not the rehearsal's.
		if _, err := g.makeNetwork(&wanted.Network, nic{}); err != nil {
			return err
		}
	}
	if err := g.thread.do(func() error { return g.park(l, none) }); err != nil {
		return err
	}
	return g.setup(l, wanted)
}

// leaveRehearsal ends what is left of a rehearsal, and removes what it wrote. outside is a mount namespace that goes on.
func (g *ground) leaveRehearsal(outside int) error {
	var err error
	if g.main != nil {
		// Ended already, unless something failed on the way.
		err = g.main.end()
	}
	err = errors.Join(err, g.thread.do(func() error { return linux.SetNamespace(outside, syscall.CLONE_NEWNS) }), g.close())
	return errors.Join(err, os.RemoveAll(rehearsalDir))
}
