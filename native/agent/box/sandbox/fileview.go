package sandbox

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// View is a view of the box's files, and a thread in the box's mount namespace.
type View struct {
	*rootfs.View
	thread *thread
}

// Run runs a function on the thread.
func (v *View) Run(work func() error) error { return v.thread.do(work) }

// Close ends the view and the thread.
func (v *View) Close() error {
	v.thread.end()
	return v.View.Close()
}

// View makes a view of the box's files. The box has its root.
func (s *Sandbox) View(box *spec.Spec) (*View, error) {
	var clones *rootfs.Clones
	if err := s.thread.do(func() (err error) {
		clones, err = rootfs.CloneShown(s.Root, box)
		return err
	}); err != nil {
		return nil, err
	}
	view, err := rootfs.NewView(clones, s.Namespaces.Mount)
	if err != nil {
		return nil, err
	}
	// The sandbox's own thread does not wait for a file server.
	v := &View{view, startThread()}
	if err := v.Run(s.enterMounts); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// enterMounts moves the calling thread to the box's mount namespace.
func (s *Sandbox) enterMounts() error {
	if err := linux.Unshare(syscall.CLONE_FS); err != nil {
		return err
	}
	return linux.SetNamespace(s.Namespaces.Mount, syscall.CLONE_NEWNS)
}

// Bare returns the box's root without anything that is mounted in it, read-only. The caller closes
// it.
func (s *Sandbox) Bare() (rootdir.Root, error) {
	bare := rootdir.Root{FD: -1}
	err := s.thread.do(func() (err error) {
		bare, err = s.Root.WithoutMounts()
		return err
	})
	return bare, err
}

// Layers returns the upper directory of the box's root, and what lies below it. The caller closes
// both.
func (s *Sandbox) Layers(images []spec.Layer) (upper, lower rootdir.Root, err error) {
	if lower, err = layers.MountLower(images, s.disks); err != nil {
		return upper, lower, err
	}
	if upper, err = rootdir.OpenDirectory(s.changesAt + layers.UpperName); err != nil {
		return upper, lower, errors.Join(err, syscall.Close(lower.FD))
	}
	return upper, lower, nil
}
