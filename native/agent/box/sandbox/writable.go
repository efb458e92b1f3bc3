package sandbox

import (
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// findDisks waits for disks that were not found yet.
func (g *Sandbox) findDisks(serials []string) error {
	missing := slices.IndexFunc(serials, func(serial string) bool { return g.disks[serial] == "" })
	if missing < 0 {
		return nil
	}
	var err error
	g.disks, err = rootfs.AwaitDisks(serials)
	return err
}

// takeChanges mounts what the box writes to, unless that is mounted already. memory is what the box may take of it, nil for no limit.
func (g *Sandbox) takeChanges(changes spec.Changes, memory *int64) error {
	switch {
	case g.changes.Kind == "":
	case g.changes.Equal(changes):
		return nil
	default:
		if err := g.thread.do(rootfs.UnmountChanges); err != nil {
			return err
		}
		if err := rootfs.UnmountChanges(); err != nil {
			return err
		}
	}
	g.changes = changes
	g.changesAt = rootfs.ChangesDir
	limit, err := cgroup.MemoryLimit(memory)
	if err != nil {
		return err
	}
	if err := rootfs.MountChanges(changes, g.disks, limit); err != nil {
		return err
	}
	return g.showChanges()
}

// showChanges mounts in the box's mount namespace what the agent has mounted in its own.
func (g *Sandbox) showChanges() error {
	mount, err := linux.CloneMount(-1, rootfs.ChangesDir, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return g.thread.do(func() error { return rootfs.AttachAt(mount, rootfs.ChangesDir) })
}
