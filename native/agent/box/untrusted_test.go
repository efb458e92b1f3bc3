package box

import (
	"errors"
	"syscall"
	"testing"

	"a3s.dev/box/agent/dm"
)

func TestASpecBelievesItsHostOrDoesNot(t *testing.T) {
	serial := "changes"
	plain, checked := Layer{Serial: "layer-0"}, Layer{Serial: "layer-0", Verity: &Verity{Bytes: 4096}}
	memory, disk := Changes{Kind: ChangesMemory}, Changes{Kind: ChangesDisk, Serial: &serial}
	encrypted := Changes{Kind: ChangesEncrypted, Serial: &serial}
	share := []Mount{{Kind: "virtiofs", Tag: "a", Destination: "/a"}}
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
		"a layer that is not checked":             {[]Layer{checked, plain}, memory, nil, errBelieves},
		"a lower layer that is not":               {[]Layer{plain, checked}, memory, nil, errBelieves},
		"changes on a disk of the host's":         {[]Layer{checked}, disk, nil, errBelieves},
		"a share":                                 {[]Layer{checked}, memory, share, errBelieves},
		"encrypted changes over unchecked layers": {[]Layer{plain}, encrypted, nil, errBelieves},
	} {
		spec := &Spec{Rootfs: Rootfs{Layers: c.layers, Changes: c.changes}, Mounts: c.mounts}
		if err := spec.believe(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestALayerThatWasTamperedWithIsToldFromOneThatIsNone(t *testing.T) {
	checked, plain := Layer{Verity: &Verity{}}, Layer{}
	var tampered *dm.VerityError
	if err := checked.explain(&deviceError{"mount", "layer", syscall.EIO}); !errors.As(err, &tampered) {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{checked.explain(syscall.EINVAL), plain.explain(syscall.EIO)} {
		if errors.As(err, &tampered) || err == nil {
			t.Errorf("got %v", err)
		}
	}
	if err := checked.explain(nil); err != nil {
		t.Errorf("got %v", err)
	}
	if device, err := plain.device("/dev/vda"); device != "/dev/vda" || err != nil {
		t.Errorf("got %s, %v", device, err)
	}
	var refused *dm.VerityError
	if _, err := checked.device("/dev/vda"); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}
