package launchspec

import (
	"strconv"

	"a3s.dev/box/agent/box"
)

// What every confidential box has of a network; none of it is the host's to choose. GUEST_NETWORK of the host's engine is the same.
const (
	address      = "10.0.2.15"
	prefixLength = 24
	gateway      = "10.0.2.2"
	nameserver   = "10.0.2.3"
	mtu          = 65520
)

// Box is the box that a spec describes, as package box makes it.
func (s *Spec) Box() *box.Spec {
	return &box.Spec{
		Schema: box.Schema, Hostname: s.Hostname, Rootfs: s.rootfs(),
		Process: box.Process{
			Args: s.Process.Args, Env: s.Process.Env, Cwd: s.Process.Cwd, User: s.Process.User,
			Terminal: s.Process.Terminal, Stdin: s.Process.Stdin,
		},
		Network: s.network(), Confinement: s.Confinement, Resources: s.Resources,
	}
}

func (s *Spec) rootfs() box.Rootfs {
	rootfs := box.Rootfs{Changes: box.Changes{Kind: box.ChangesMemory}, Readonly: s.Rootfs.Readonly}
	for index := range s.Rootfs.Layers {
		rootfs.Layers = append(rootfs.Layers, box.Layer{Serial: "layer-" + strconv.Itoa(index)})
	}
	return rootfs
}

func (s *Spec) network() box.Network {
	if s.Network == box.NetworkNone {
		return box.Network{Kind: box.NetworkNone}
	}
	own := func(text string) *string { return &text }
	size, prefix := int64(mtu), int64(prefixLength)
	return box.Network{
		Kind: box.NetworkNIC, MTU: &size, Address: own(address), PrefixLength: &prefix, Gateway: own(gateway),
		Nameservers: &[]string{nameserver}, Search: &[]string{},
	}
}
