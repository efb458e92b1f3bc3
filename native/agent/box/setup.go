package box

import (
	"syscall"

	"a3s.dev/box/agent/linux"
)

// setup makes a box of the ground: what of its spec needs no process.
func (g *ground) setup(l *launcher, spec *Spec) error {
	if err := spec.believe(); err != nil {
		return err
	}
	if err := g.findDisks(spec.serials()); err != nil {
		return err
	}
	if err := g.takeChanges(spec.Rootfs.Changes, spec.Resources.MemoryBytes); err != nil {
		return err
	}
	network, err := g.network(&spec.Network)
	if err != nil {
		return err
	}
	return g.setupOn(l, spec, network, func() (root, error) {
		layers, err := mountLayers(spec.Rootfs.Layers, g.disks)
		if err != nil {
			return root{-1}, err
		}
		return mountOverlay(layers, g.changesAt)
	})
}

// setupOn starts main's stage, and builds the box's root on one that a function mounts in the box's mount namespace. In the root nothing is
// written but what Docker writes too: empty mount points, the directories of the image's volumes, and the main process's working directory.
func (g *ground) setupOn(l *launcher, spec *Spec, in *network, mountRoot func() (root, error)) error {
	g.namespaces.Network = in.namespace
	return g.thread.do(func() (err error) {
		if g.main == nil {
			if err := g.park(l, in); err != nil {
				return err
			}
		}
		if err := setHostname(spec.Hostname); err != nil {
			return err
		}
		if err := g.protect(protectionOf(spec)); err != nil {
			return err
		}
		if g.root, err = mountRoot(); err != nil {
			return err
		}
		if err := g.root.fill(spec, g.system, in.system, g.texts); err != nil {
			return err
		}
		return enterRoot(g.root)
	})
}

// protect mounts once more what was protected in another way before the spec was known.
func (g *ground) protect(p protection) error {
	if g.protection.equal(p) {
		return nil
	}
	// A clone is without what is mounted below.
	proc, err := linux.CloneMount(g.proc, "", false)
	if err != nil {
		return err
	}
	previous := g.proc
	g.proc = proc
	if err := syscall.Close(previous); err != nil {
		return err
	}
	g.protection = p
	if g.system, err = mountSystem(g.texts, g.proc, p); err != nil {
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
