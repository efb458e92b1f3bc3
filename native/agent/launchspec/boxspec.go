package launchspec

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"a3s.dev/box/agent/box/spec"
)

// What every confidential box has of a network; none of it is the host's to choose. GUEST_NETWORK
// of the host's engine is the same.
const (
	address      = "10.0.2.15"
	prefixLength = 24
	gateway      = "10.0.2.2"
	nameserver   = "10.0.2.3"
	mtu          = 32700
)

// Serials of a confidential box's disks; a layer's index follows.
const (
	layerSerial   = "layer-"
	changesSerial = "changes"
)

// Box is the box that a spec describes, as package box makes it; of a pod, what its containers have
// in common.
func (s *Spec) Box() *spec.Spec {
	if s.IsPod() {
		return &spec.Spec{
			Pod: true, Checked: true, Hostname: s.Hostname, Network: s.network(), Hosts: s.Hosts, Resources: s.Resources,
			ShmBytes: s.ShmBytes, Domainname: s.Domainname, Sysctls: s.Sysctls,
		}
	}
	return &spec.Spec{
		Schema: spec.Schema, Hostname: s.Hostname, Rootfs: s.Rootfs.box(),
		Process: spec.Process{
			Args: s.Process.Args, Env: s.Process.Env, Cwd: s.Process.Cwd, User: s.Process.User,
			Terminal: s.Process.Terminal, Stdin: s.Process.Stdin,
		},
		Network: s.network(), Confinement: s.Confinement.box(), Resources: s.Resources, Init: s.Init,
		Directories: s.Directories, Tmpfs: s.Tmpfs, ShmBytes: s.ShmBytes, Mounts: s.mounts(), Domainname: s.Domainname, Sysctls: s.Sysctls, Hosts: s.Hosts,
	}
}

// kernelPaths are where root, without any capability, has the kernel do something to the whole
// guest: execute a program outside of the box, as `core_pattern` does, or write to the devices.
var kernelPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// box returns the confinement for package box, with at least what keeps the workload from the agent
// and its secure processor, unless the box is privileged.
func (f *Confinement) box() spec.Confinement {
	confinement := spec.Confinement{
		Capabilities: f.Capabilities, NoNewPrivileges: f.NoNewPrivileges, Seccomp: f.Seccomp,
		MaskedPaths: f.MaskedPaths, ReadonlyPaths: slices.Clone(f.ReadonlyPaths),
		Groups: f.Groups, GroupsPolicy: f.GroupsPolicy, OOMScore: f.OOMScore, SeccompProfile: f.SeccompProfile,
		Devices: f.Devices, DeviceRules: f.DeviceRules,
	}
	if f.Privileged != nil {
		confinement.Privileged = f.Privileged
		return confinement
	}
	for _, path := range kernelPaths {
		if !slices.Contains(confinement.ReadonlyPaths, path) {
			confinement.ReadonlyPaths = append(confinement.ReadonlyPaths, path)
		}
	}
	return confinement
}

// box holds every layer against the root that the spec has for it.
func (r *Rootfs) box() spec.Rootfs {
	rootfs := spec.Rootfs{Changes: spec.Changes{Kind: spec.ChangesMemory}, Layers: r.layers(layerSerial), Readonly: r.Readonly}
	if r.Changes == ChangesEncryptedDisk {
		serial := changesSerial
		rootfs.Changes = spec.Changes{Kind: spec.ChangesEncrypted, Serial: &serial}
	}
	rootfs.Changes.Bytes = r.ChangesBytes
	return rootfs
}

// layers are on disks whose serials begin with the same text.
func (r *Rootfs) layers(serial string) []spec.Layer {
	var layers []spec.Layer
	for index, layer := range r.Layers {
		verity := &spec.Verity{Bytes: layer.Bytes, Root: digest(layer.Root), Salt: sha256.Sum256([]byte(layer.DiffID))}
		layers = append(layers, spec.Layer{Serial: serial + strconv.Itoa(index), Verity: verity})
	}
	return layers
}

// digest decodes hexadecimal digits that were checked.
func digest(text string) (sum [32]byte) {
	decoded, err := hex.DecodeString(text)
	if err != nil || copy(sum[:], decoded) != len(sum) {
		panic("launchspec: a digest is not one: " + text)
	}
	return sum
}

func (s *Spec) network() spec.Network {
	if s.Network == spec.NetworkNone {
		return spec.Network{Kind: spec.NetworkNone}
	}
	own := func(text string) *string { return &text }
	size, prefix := int64(mtu), int64(prefixLength)
	network := spec.Network{
		Kind: spec.NetworkNIC, MTU: &size, Address: own(address), PrefixLength: &prefix, Gateway: own(gateway),
		Nameservers: &[]string{nameserver}, Search: &[]string{},
	}
	if resolver := s.Resolver; resolver != nil {
		if resolver.Nameservers != nil {
			network.Nameservers = resolver.Nameservers
		}
		if resolver.Search != nil {
			network.Search = resolver.Search
		}
		network.Options = resolver.Options
	}
	return network
}
