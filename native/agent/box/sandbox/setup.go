package sandbox

import (
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// SetUp makes a box of the ground: what of its spec needs no process.
func (g *Sandbox) SetUp(l *process.Launcher, spec *spec.Spec) error {
	if err := spec.CheckIntegrity(); err != nil {
		return err
	}
	if err := g.findDisks(spec.Serials()); err != nil {
		return err
	}
	if err := g.takeChanges(spec.Rootfs.Changes, spec.Resources.MemoryBytes); err != nil {
		return err
	}
	network, err := g.network(&spec.Network)
	if err != nil {
		return err
	}
	return g.SetUpOn(l, spec, network, func() (rootfs.Root, error) {
		layers, err := rootfs.MountLayers(spec.Rootfs.Layers, g.disks)
		if err != nil {
			return rootfs.Root{FD: -1}, err
		}
		return rootfs.MountOverlay(layers, g.changesAt)
	})
}

// SetUpOn starts main's stage, and builds the box's root on one that a function mounts in the box's mount namespace. In the root nothing is
// written but what Docker writes too: empty mount points, the directories of the image's volumes, and the main process's working directory.
func (g *Sandbox) SetUpOn(l *process.Launcher, spec *spec.Spec, in *network, mountRoot func() (rootfs.Root, error)) error {
	g.Namespaces.Network = in.namespace
	return g.thread.do(func() (err error) {
		if g.Main == nil {
			if err := g.startMain(l, in); err != nil {
				return err
			}
		}
		if err := setHostname(spec.Hostname); err != nil {
			return err
		}
		if err := g.protect(rootfs.ProtectionOf(spec)); err != nil {
			return err
		}
		if g.Root, err = mountRoot(); err != nil {
			return err
		}
		if err := g.Root.Fill(spec, g.system, in.system, g.texts); err != nil {
			return err
		}
		return rootfs.EnterRoot(g.Root)
	})
}

// protect mounts once more what was protected in another way before the spec was known.
func (g *Sandbox) protect(p rootfs.Protection) error {
	if g.protection.Equal(p) {
		return nil
	}
	// A clone is without what is mounted below.
	proc, err := linux.CloneMount(g.Proc, "", false)
	if err != nil {
		return err
	}
	previous := g.Proc
	g.Proc = proc
	if err := syscall.Close(previous); err != nil {
		return err
	}
	g.protection = p
	if g.system, err = rootfs.MountSystem(g.texts, g.Proc, p); err != nil {
		return err
	}
	for _, n := range g.networks {
		if err := linux.SetNamespace(n.namespace, syscall.CLONE_NEWNET); err != nil {
			return err
		}
		if err := n.mountSystem(g); err != nil {
			return err
		}
	}
	return nil
}

func setHostname(name string) error {
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return &linux.Error{Op: "sethostname", On: name, Errno: err.(syscall.Errno)}
	}
	return nil
}
