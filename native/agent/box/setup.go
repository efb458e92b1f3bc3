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
		if err := g.protect(spec.protection()); err != nil {
			return err
		}
		return g.buildRoot(spec, network)
	})
}

func setHostname(name string) error {
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return &linux.Error{Op: "sethostname", On: name, Errno: err.(syscall.Errno)}
	}
	return nil
}

func (s *Spec) serials() []string {
	var serials []string
	for _, layer := range s.Rootfs.Layers {
		serials = append(serials, layer.Serial)
	}
	if s.Rootfs.Changes.Serial != nil {
		serials = append(serials, *s.Rootfs.Changes.Serial)
	}
	return serials
}

// Uses of drivers that not every box has.
const (
	UseNIC     = "nic"
	UseChanges = "changes"
)

func (s *Spec) uses() []string {
	var uses []string
	if s.Network.Kind == NetworkNIC {
		uses = append(uses, UseNIC)
	}
	if s.Rootfs.Changes.Kind == ChangesEncrypted {
		uses = append(uses, UseChanges)
	}
	return uses
}

func (s *Spec) protection() protection {
	return protection{s.Confinement.ReadonlyPaths, s.Confinement.MaskedPaths}
}
