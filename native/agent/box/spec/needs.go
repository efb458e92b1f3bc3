package spec

import "slices"

// Serials returns the serials of all disks that the box needs.
func (s *Spec) Serials() []string {
	var serials []string
	for _, layer := range s.Rootfs.Layers {
		serials = append(serials, layer.Serial)
	}
	if s.Rootfs.Changes.Serial != nil {
		serials = append(serials, *s.Rootfs.Changes.Serial)
	}
	for _, disk := range s.VolumeDisks() {
		serials = append(serials, disk.Serial)
	}
	for _, m := range s.Mounts {
		if m.Kind != MountImage {
			continue
		}
		for _, layer := range *m.Layers {
			serials = append(serials, layer.Serial)
		}
	}
	return serials
}

// VolumeDisks are the disks of volumes, each once.
func (s *Spec) VolumeDisks() []Disk {
	var disks []Disk
	for _, m := range s.Mounts {
		if m.Kind != MountDisk {
			continue
		}
		at := slices.IndexFunc(disks, func(d Disk) bool { return d.Serial == *m.Serial })
		if at < 0 {
			disks = append(disks, Disk{*m.Serial, m.Readonly, m.Sealed})
		} else if !m.Readonly {
			disks[at].Readonly = false
		}
	}
	return disks
}

func isSealed(m Mount) bool { return m.Kind == MountDisk && m.Sealed }

// Uses of drivers that not every box has.
const (
	UseNIC     = "nic"
	UseChanges = "changes"
	UseTun     = "tun"
	// UseContainers is what programs that run containers need of the kernel.
	UseContainers = "containers"
)

// tunDevice is the path of the device that the driver of UseTun makes.
const tunDevice = "net/tun"

// Uses are the uses of drivers that the box needs.
func (s *Spec) Uses() []string {
	var uses []string
	// A plain box may get a card while it runs; by then no driver is loaded any more. The layers of
	// a confidential one have a hash tree.
	isLayered := s.Pod || len(s.Rootfs.Layers) > 0
	isChecked := s.Checked || !s.Pod && isLayered && s.Rootfs.Layers[0].Verity != nil
	if s.Network.Kind == NetworkNIC || isLayered && !isChecked {
		uses = append(uses, UseNIC)
	}
	if s.Rootfs.Changes.Kind == ChangesEncrypted || slices.ContainsFunc(s.Mounts, isSealed) {
		uses = append(uses, UseChanges)
	}
	// The initrd of confidential boxes has no drivers of containers.
	if s.Confinement.IsPrivileged() && !isChecked {
		return append(uses, UseTun, UseContainers)
	}
	if devices := s.Confinement.Devices; devices != nil && slices.Contains(*devices, tunDevice) {
		uses = append(uses, UseTun)
	}
	return uses
}
