package sandbox

import (
	"errors"
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// findDisks waits for the disks that were not found yet.
func (s *Sandbox) findDisks(serials []string, look func() error) error {
	missing := slices.IndexFunc(serials, func(serial string) bool { return s.disks[serial] == "" })
	if missing < 0 {
		return nil
	}
	var err error
	s.disks, err = layers.AwaitDisks(serials, look)
	return err
}

// takeChanges mounts what the box writes to, unless that is mounted already. memory is what the box
// may take of it, nil for no limit.
func (s *Sandbox) takeChanges(changes spec.Changes, memory *int64) error {
	switch {
	case s.changes.Kind == "":
	case s.changes.Equal(changes):
		return nil
	default:
		if err := s.thread.do(func() error { return layers.UnmountChanges(layers.ChangesDir) }); err != nil {
			return err
		}
		if err := layers.UnmountChanges(s.changesDir); err != nil {
			return err
		}
	}
	s.changes = changes
	s.changesAt = layers.ChangesDir
	limit, err := cgroup.MemoryLimit(memory)
	if err != nil {
		return err
	}
	if err := layers.MountChanges(s.changesDir, changes, s.disks, limit); err != nil {
		return err
	}
	return s.showChanges()
}

// takeVolumes mounts the disks of volumes, in the agent's own mount namespace and in the box's.
// openSealed opens those that are sealed.
func (s *Sandbox) takeVolumes(disks []spec.Disk, openSealed func(serial, device string) (string, error)) error {
	for _, disk := range disks {
		device := s.disks[disk.Serial]
		if disk.Sealed {
			var err error
			if device, err = openSealed(disk.Serial, device); err != nil {
				return err
			}
		}
		mount, err := rootfs.MountVolume(disk, device)
		if err != nil {
			return err
		}
		s.volumes = append(s.volumes, disk)
		err = s.thread.do(func() error { return rootfs.ShowVolume(disk, mount) })
		if err := errors.Join(err, syscall.Close(mount)); err != nil {
			return err
		}
	}
	return nil
}

// takeImages mounts the images that the box mounts, in its mount namespace alone.
func (s *Sandbox) takeImages(mounts []spec.Mount) error {
	for index, m := range mounts {
		if m.Kind != spec.MountImage {
			continue
		}
		mount, err := layers.MountImage(*m.Layers, s.disks)
		if err != nil {
			return layers.NewDeviceError("image at", m.Destination, err)
		}
		err = s.thread.do(func() error { return rootfs.ShowImage(index, mount) })
		if err := errors.Join(err, syscall.Close(mount)); err != nil {
			return err
		}
	}
	return nil
}

// showChanges mounts in the box's mount namespace what the agent has mounted in its own.
func (s *Sandbox) showChanges() error {
	mount, err := linux.CloneMount(-1, s.changesDir, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return s.thread.do(func() error { return rootdir.AttachAt(mount, layers.ChangesDir) })
}
