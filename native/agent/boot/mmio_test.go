package boot

import (
	"slices"
	"testing"
)

func TestThePlatformIsReadFromTheCommandLine(t *testing.T) {
	for line, want := range map[string]platform{
		"console=ttyS0 quiet\n": {},
		"quiet a3s.disks=layer-0,changes virtio_mmio.device=4K@0xd0000000:5 virtio_mmio.device=4K@0xd0001000:6 -- virtio_mmio.device=x": {2, []string{"layer-0", "changes"}},
		"virtio_mmio.device=512@0xfeb00e00:12": {1, nil},
		"xvirtio_mmio.device=1 a3s.disk=x":     {},
	} {
		got := platformOf(line)
		if got.devices != want.devices || !slices.Equal(got.disks, want.disks) {
			t.Errorf("%s: got %+v", line, got)
		}
	}
}
