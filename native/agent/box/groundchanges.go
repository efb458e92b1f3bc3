package box

import (
	"slices"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// findDisks waits for disks that were not found yet.
func (g *ground) findDisks(serials []string) error {
	missing := slices.IndexFunc(serials, func(serial string) bool { return g.disks[serial] == "" })
	if missing < 0 {
		return nil
	}
	var err error
	g.disks, err = awaitDisks(serials)
	return err
}

// takeChanges mounts what the box writes to, unless that is mounted already. memory is what the box may take of it, nil for no limit.
func (g *ground) takeChanges(changes Changes, memory *int64) error {
	switch {
	case g.changes.Kind == "":
	case g.changes.equal(changes):
		return nil
	default:
		if err := g.thread.do(unmountChanges); err != nil {
			return err
		}
		if err := unmountChanges(); err != nil {
			return err
		}
	}
	g.changes = changes
	g.changesAt = changesDir
	limit, err := memoryLimit(memory)
	if err != nil {
		return err
	}
	if err := mountChanges(changes, g.disks, limit); err != nil {
		return err
	}
	return g.showChanges()
}

// showChanges mounts in the box's mount namespace what the agent has mounted in its own.
func (g *ground) showChanges() error {
	mount, err := linux.CloneMount(-1, changesDir, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return g.thread.do(func() error { return attachAt(mount, changesDir) })
}
