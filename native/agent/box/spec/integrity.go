package spec

import (
	"errors"
	"slices"
)

// errIntegrity is a spec that checks some of what its host gives, and trusts the host for the rest.
var errIntegrity = errors.New("a box whose layers are checked takes nothing else of its host unchecked")

// CheckIntegrity refuses a spec in which some of what the host gives is checked and some is not. No
// launch spec makes such a box.
func (s *Spec) CheckIntegrity() error {
	checked := 0
	for _, layer := range s.Rootfs.Layers {
		if layer.Verity != nil {
			checked++
		}
	}
	changes := s.Rootfs.Changes.Kind
	sealed := slices.ContainsFunc(s.Mounts, isSealed)
	unchecked := slices.ContainsFunc(s.Mounts, func(m Mount) bool { return !isSealed(m) })
	switch {
	case checked == 0 && changes != ChangesEncrypted && !sealed:
		return nil
	case checked < len(s.Rootfs.Layers) || changes == ChangesDisk || unchecked || sealed && s.OpenSealed == nil:
		return errIntegrity
	}
	return nil
}
