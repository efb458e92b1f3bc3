package layers

import (
	"errors"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
)

func TestChangesHaveTheirSizeOrAreRefused(t *testing.T) {
	size := func(bytes int64) *int64 { return &bytes }
	for _, c := range []struct {
		asked      *int64
		room, want int64
	}{{nil, 7, 7}, {size(6), 7, 6}, {size(7), 7, 7}} {
		if got, err := sizeWithin(c.asked, c.room); got != c.want || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	}
	var small *SizeError
	if _, err := sizeWithin(size(8), 7); !errors.As(err, &small) || small.Error() != "there is room for 7 bytes, and it has to have 8" {
		t.Errorf("got %v", err)
	}
}

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
	if device, err := openLayer(&plain, "/dev/vda"); device.Path != "/dev/vda" || err != nil {
		t.Errorf("got %s, %v", device, err)
	}
	var refused *dm.VerityError
	if _, err := openLayer(&checked, "/dev/vda"); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}
