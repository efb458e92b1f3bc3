package sandbox

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
)

// View makes a view of the box's files. The box has its root.
func (s *Sandbox) View(mounts []spec.Mount) (*rootfs.View, error) {
	var clones *rootfs.Clones
	if err := s.thread.do(func() (err error) {
		clones, err = s.Root.CloneShown(mounts)
		return err
	}); err != nil {
		return nil, err
	}
	return rootfs.NewView(clones, s.Namespaces.Mount)
}

// Bare returns the box's root without anything that is mounted in it, read-only. The caller closes it.
func (s *Sandbox) Bare() (rootfs.Root, error) {
	bare := rootfs.Root{FD: -1}
	err := s.thread.do(func() (err error) {
		bare, err = s.Root.WithoutMounts()
		return err
	})
	return bare, err
}

// Layers returns the upper directory of the box's root, and what lies below it. The caller closes both.
func (s *Sandbox) Layers(layers []spec.Layer) (upper, lower rootfs.Root, err error) {
	if lower, err = rootfs.MountLower(layers, s.disks); err != nil {
		return upper, lower, err
	}
	if upper, err = rootfs.OpenDirectory(s.changesAt + rootfs.UpperName); err != nil {
		return upper, lower, errors.Join(err, syscall.Close(lower.FD))
	}
	return upper, lower, nil
}
