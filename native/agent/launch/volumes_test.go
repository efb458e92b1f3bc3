package launch

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/server"
)

// opening has the disks of volumes opened by a function.
func opening(t *testing.T, open func(terms sealedvolume.Terms, sealer sealedvolume.Sealer) (*sealedvolume.Volume, error)) {
	t.Helper()
	t.Cleanup(func() { openDevice = sealedvolume.OpenDevice })
	openDevice = func(name, path string, sealer sealedvolume.Sealer, terms sealedvolume.Terms) (*sealedvolume.Volume, error) {
		if name != "volume-0" || path != "/dev/vdb" {
			t.Errorf("got %s, %s", name, path)
		}
		return open(terms, sealer)
	}
}

func TestTheSealedVolumesOfTheSpecAreOpenedAndNamed(t *testing.T) {
	text := vector(t, "volumes-id")
	l := launchOf(t, text)
	opening(t, func(terms sealedvolume.Terms, sealer sealedvolume.Sealer) (*sealedvolume.Volume, error) {
		if terms.Name != "data" || terms.Policy != "exact" || terms.Init || terms.ID == nil || terms.ID[15] != 0xef {
			t.Errorf("got %+v", terms)
		}
		if _, err := sealer.Seal(sealing.Terms{Purpose: "volume/data", Policy: "exact"}, []byte("key")); err != nil {
			t.Error(err)
		}
		return &sealedvolume.Volume{Device: "/dev/dm-1", ID: *terms.ID, Created: true}, nil
	})
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	mounts := l.box.spec.Mounts
	if len(mounts) != 1 || !mounts[0].Sealed || !mounts[0].Fills() || *mounts[0].Serial != "volume-0" || mounts[0].Destination != "/data" {
		t.Fatalf("got %+v", mounts)
	}
	device, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb")
	if err != nil || device != "/dev/dm-1" {
		t.Errorf("got %s, %v", device, err)
	}
	again, err := l.Take(text)
	want := []server.Volume{{Name: "data", ID: "0123456789abcdef0123456789abcdef", Created: true}}
	if err != nil || !reflect.DeepEqual(again.Volumes, want) {
		t.Errorf("got %+v, %v", again, err)
	}
	if _, err := l.box.spec.OpenSealed("volume-1", "/dev/vdb"); err == nil {
		t.Error("a volume that the spec does not have was opened")
	}
}

func TestARefusedVolumeKeepsItsCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"a refusal":                            {&jsonapi.Error{Code: "volume-damaged", Message: "it is cut"}, "volume-damaged"},
		"a processor that does not answer":     {jsonapi.ErrProcessor, "tee-unavailable"},
		"anything else has no code of volumes": {errors.New("it is cut"), ""},
	} {
		text := vector(t, "volumes-init")
		l := launchOf(t, text)
		opening(t, func(sealedvolume.Terms, sealedvolume.Sealer) (*sealedvolume.Volume, error) { return nil, c.err })
		if _, err := l.Take(text); err != nil {
			t.Fatal(err)
		}
		_, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb")
		if codeOf(err) != c.code || !strings.Contains(err.Error(), "sealed volume data") {
			t.Errorf("%s: got %v", name, err)
		}
		if len(l.offered.Volumes()) > 0 {
			t.Errorf("%s: it is there all the same", name)
		}
	}
}
