package layers

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// blocks makes a directory like /sys/block, whose disks have these devices.
func blocks(t *testing.T, devices map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for disk, device := range devices {
		if err := os.Mkdir(filepath.Join(directory, disk), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../../"+device, filepath.Join(directory, disk, "device")); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func TestDisksAreNamedInTheOrderOfTheirDevices(t *testing.T) {
	directory := blocks(t, map[string]string{"vda": "virtio10", "vdb": "virtio2", "vdc": "virtio9"})
	if err := os.Mkdir(filepath.Join(directory, "loop0"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := listByOrder(directory, []string{"layer-0", "layer-1", "changes"})
	want := map[string]string{"layer-0": "/dev/vdb", "layer-1": "/dev/vdc", "changes": "/dev/vda"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNoDiskIsNamedBeforeAllAreThere(t *testing.T) {
	got, err := listByOrder(blocks(t, map[string]string{"vda": "virtio2"}), []string{"layer-0", "changes"})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestADiskWithoutANameIsRefused(t *testing.T) {
	for name, devices := range map[string]map[string]string{
		"one more":            {"vda": "virtio2", "vdb": "virtio3"},
		"not of a virtio bus": {"vda": "0000:00:01.0"},
	} {
		if got, err := listByOrder(blocks(t, devices), []string{"layer-0"}); !errors.Is(err, errDisks) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestNamesOfDisksAreSerialNumbersAndDiffer(t *testing.T) {
	t.Cleanup(func() { names = nil })
	for _, wrong := range [][]string{{""}, {"a", "a"}, {"A"}, {"a/b"}, {"a-name-that-is-too-long"}} {
		if err := NameDisks(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	if err := NameDisks([]string{"layer-0", "changes"}); err != nil || len(names) != 2 {
		t.Errorf("got %q, %v", names, err)
	}
}
