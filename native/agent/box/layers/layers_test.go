package layers

import (
	"errors"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
)

func TestALayerThatWasTamperedWithHasAVerityError(t *testing.T) {
	checked, plain := spec.Layer{Verity: &spec.Verity{}}, spec.Layer{}
	var tampered *dm.VerityError
	if err := explainLayer(&checked, &DeviceError{"mount", "layer", syscall.EIO}); !errors.As(err, &tampered) {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{explainLayer(&checked, syscall.EINVAL), explainLayer(&plain, syscall.EIO)} {
		if errors.As(err, &tampered) || err == nil {
			t.Errorf("got %v", err)
		}
	}
	if err := explainLayer(&checked, nil); err != nil {
		t.Errorf("got %v", err)
	}
	if device, err := openLayer(&plain, "/dev/vda"); device != "/dev/vda" || err != nil {
		t.Errorf("got %s, %v", device, err)
	}
	var refused *dm.VerityError
	if _, err := openLayer(&checked, "/dev/vda"); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}
