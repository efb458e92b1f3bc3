package sandbox

import (
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
