package box

import (
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

func itoa(n int) string { return strconv.Itoa(n) }

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
	g.namespaces.Network = network.namespace
	return g.thread.do(func() error {
		if g.main == nil {
			if err := g.park(l, network); err != nil {
				return err
			}
		}
		if err := setHostname(spec.Hostname); err != nil {
			return err
		}
		if err := g.protect(protectionOf(spec)); err != nil {
			return err
		}
		return g.buildRoot(spec, network)
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

// buildRoot assembles the box's root and enters it. In it nothing is written but what Docker writes too: empty mount points, the
// directories of the image's volumes, and the main process's working directory.
func (g *ground) buildRoot(spec *Spec, network *network) error {
	layers, err := mountLayers(spec.Rootfs.Layers, g.disks)
	if err != nil {
		return err
	}
	overlay, err := mountOverlay(layers, g.changesAt)
	if err != nil {
		return err
	}
	g.root = root{overlay}
	if err := g.root.fill(spec, g.system, network.system, g.texts); err != nil {
		return err
	}
	return enterRoot(g.root)
}

func setHostname(name string) error {
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return &linux.Error{Op: "sethostname", On: name, Errno: err.(syscall.Errno)}
	}
	return nil
}
