package boot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sysfs is a fake /sys/bus, which keeps what is written to it.
type sysfs struct {
	*buses
	t      *testing.T
	writes []string
}

func newSysfs(t *testing.T) *sysfs {
	made := &sysfs{t: t, buses: &buses{root: t.TempDir()}}
	made.write = func(path, value string) error {
		made.writes = append(made.writes, strings.TrimPrefix(path, made.root+"/")+"="+value)
		return nil
	}
	return made
}

// device makes a PCI device; driver may be empty.
func (s *sysfs) device(address, vendor, device, driver string) {
	s.file("pci/devices/"+address+"/vendor", vendor)
	s.file("pci/devices/"+address+"/device", device)
	if driver != "" {
		s.file("pci/drivers/"+driver+"/bind", "")
		s.link(filepath.Join(s.root, "pci/drivers", driver), "pci/devices/"+address+"/driver")
	}
}

func (s *sysfs) file(path, text string) {
	full := filepath.Join(s.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text+"\n"), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sysfs) link(to, path string) {
	if err := os.Symlink(to, filepath.Join(s.root, path)); err != nil {
		s.t.Fatal(err)
	}
}

// wrote compares what was written since the last call.
func (s *sysfs) wrote(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.writes, want) {
		s.t.Errorf("wrote %q, want %q", s.writes, want)
	}
	s.writes = nil
}

func TestOnlyDisksGetADriverLater(t *testing.T) {
	sys := newSysfs(t)
	sys.device("0000:00:01.0", "0x1af4", "0x1044", "virtio-pci")
	if err := sys.findDisks(); err != nil {
		t.Fatal(err)
	}
	sys.wrote("pci/drivers_autoprobe=0", "virtio/drivers_autoprobe=0", "pci/rescan=1")

	sys.device("0000:01:00.0", "0x1af4", "0x1042", "virtio-pci")
	sys.file("pci/devices/0000:01:00.0/virtio3/device", "0x0002")
	sys.device("0000:02:00.0", "0x1af4", "0x1042", "")
	// Of another vendor, of other kinds, and a disk of before virtio 1.0, which may be anything.
	sys.device("0000:03:00.0", "0x8086", "0x1042", "")
	sys.device("0000:04:00.0", "0x1b36", "0x0010", "nvme")
	sys.device("0000:05:00.0", "0x1af4", "0x1043", "virtio-pci")
	sys.file("pci/devices/0000:05:00.0/virtio5/device", "0x0003")
	sys.device("0000:06:00.0", "0x1af4", "0x1001", "virtio-pci")
	sys.file("pci/devices/0000:06:00.0/virtio6/device", "0x0002")
	// A disk on one bus that is something else on the other.
	sys.device("0000:07:00.0", "0x1af4", "0x1042", "virtio-pci")
	sys.file("pci/devices/0000:07:00.0/virtio7/device", "0x001a")
	if err := sys.findDisks(); err != nil {
		t.Fatal(err)
	}
	sys.wrote(
		"pci/rescan=1",
		"pci/devices/0000:04:00.0/driver/unbind=0000:04:00.0",
		"pci/devices/0000:05:00.0/driver/unbind=0000:05:00.0",
		"pci/devices/0000:06:00.0/driver/unbind=0000:06:00.0",
		"virtio/drivers/virtio_blk/bind=virtio3",
		"pci/drivers/virtio-pci/bind=0000:02:00.0",
	)
}

func TestADiskThatIsDrivenIsLeftAlone(t *testing.T) {
	sys := newSysfs(t)
	sys.file("pci/devices/.keep", "")
	if err := sys.keep(); err != nil {
		t.Fatal(err)
	}
	sys.device("0000:01:00.0", "0x1af4", "0x1042", "virtio-pci")
	sys.file("pci/devices/0000:01:00.0/virtio3/device", "0x0002")
	sys.link("/elsewhere", "pci/devices/0000:01:00.0/virtio3/driver")
	sys.writes = nil
	if err := sys.findDisks(); err != nil {
		t.Fatal(err)
	}
	sys.wrote("pci/rescan=1")
}

func TestNoDiskIsUsedWhereADriverStays(t *testing.T) {
	sys := newSysfs(t)
	sys.file("pci/devices/.keep", "")
	if err := sys.keep(); err != nil {
		t.Fatal(err)
	}
	sys.device("0000:01:00.0", "0x1af4", "0x1042", "")
	sys.device("0000:04:00.0", "0x1b36", "0x0010", "nvme")
	write := sys.write
	sys.write = func(path, value string) error {
		if strings.HasSuffix(path, "/unbind") {
			return fs.ErrPermission
		}
		return write(path, value)
	}
	sys.writes = nil
	if err := sys.findDisks(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	sys.wrote("pci/rescan=1")
}
