package spec

import (
	"errors"
	"testing"
)

func TestASpecChecksAllOfItsHostsDisksOrNone(t *testing.T) {
	serial, tag := "changes", "a"
	plain, checked := Layer{Serial: "layer-0"}, Layer{Serial: "layer-0", Verity: &Verity{Bytes: 4096}}
	memory, disk := Changes{Kind: ChangesMemory}, Changes{Kind: ChangesDisk, Serial: &serial}
	encrypted := Changes{Kind: ChangesEncrypted, Serial: &serial}
	sealed := Mount{Kind: MountDisk, Serial: &serial, Destination: "/b", Sealed: true}
	open := func(serial, device string) (string, error) { return device, nil }
	share := []Mount{{Kind: "virtiofs", Tag: &tag, Destination: "/a"}}
	for name, c := range map[string]struct {
		layers  []Layer
		changes Changes
		mounts  []Mount
		want    error
	}{
		"a plain box":                             {[]Layer{plain, plain}, disk, share, nil},
		"a plain box in memory":                   {[]Layer{plain}, memory, share, nil},
		"a confidential box":                      {[]Layer{checked, checked}, encrypted, nil, nil},
		"a confidential box in memory":            {[]Layer{checked}, memory, nil, nil},
		"a layer that is not checked":             {[]Layer{checked, plain}, memory, nil, errIntegrity},
		"a lower layer that is not":               {[]Layer{plain, checked}, memory, nil, errIntegrity},
		"changes on a disk of the host's":         {[]Layer{checked}, disk, nil, errIntegrity},
		"a share":                                 {[]Layer{checked}, memory, share, errIntegrity},
		"encrypted changes over unchecked layers": {[]Layer{plain}, encrypted, nil, errIntegrity},
	} {
		spec := &Spec{Rootfs: Rootfs{Layers: c.layers, Changes: c.changes}, Mounts: c.mounts}
		if err := spec.CheckIntegrity(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		layer  Layer
		mounts []Mount
		open   func(serial, device string) (string, error)
		want   error
	}{
		"a sealed volume":                       {checked, []Mount{sealed}, open, nil},
		"a sealed volume that nobody opens":     {checked, []Mount{sealed}, nil, errIntegrity},
		"a sealed volume over unchecked layers": {plain, []Mount{sealed}, open, errIntegrity},
		"a share beside a sealed volume":        {checked, append(share, sealed), open, errIntegrity},
	} {
		spec := &Spec{Rootfs: Rootfs{Layers: []Layer{c.layer}, Changes: memory}, Mounts: c.mounts, OpenSealed: c.open}
		if err := spec.CheckIntegrity(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
