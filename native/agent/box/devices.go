package box

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
