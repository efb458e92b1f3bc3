package sandbox

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// rehearsalDir is where a rehearsal's box writes, on the disk of changes; nothing of it is left.
const warmUpDir = rootfs.ChangesDir + "/rehearsal"

// SetUpWarmUp sets up a box for a rehearsal, with the devices of a prepared guest.
func (g *Sandbox) SetUpWarmUp(l *process.Launcher, prepared *Sandbox, wanted *spec.Spec) error {
	g.disks = prepared.disks
	for _, dir := range []string{warmUpDir, warmUpDir + rootfs.UpperName, warmUpDir + rootfs.WorkName} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	// Mounted where the agent is already.
	g.changes, g.changesAt = wanted.Rootfs.Changes, warmUpDir
	if err := g.showChanges(); err != nil {
		return err
	}
	none, err := g.MakeNetwork(&spec.Network{Kind: spec.NetworkNone}, Nic{})
	if err != nil {
		return err
	}
	if wanted.Network.Kind != spec.NetworkNone {
		// The device is not the rehearsal's.
		if _, err := g.MakeNetwork(&wanted.Network, Nic{}); err != nil {
			return err
		}
	}
	if err := g.thread.do(func() error { return g.startMain(l, none) }); err != nil {
		return err
	}
	return g.SetUp(l, wanted)
}

// CloseWarmUp ends what is left of a rehearsal, and removes what it wrote. outside is a mount namespace that goes on.
func (g *Sandbox) CloseWarmUp(outside int) error {
	var err error
	if g.Main != nil {
		// Ended already, unless something failed on the way.
		err = g.Main.End()
	}
	err = errors.Join(err, g.thread.do(func() error { return linux.SetNamespace(outside, syscall.CLONE_NEWNS) }), g.close())
	return errors.Join(err, os.RemoveAll(warmUpDir))
}
