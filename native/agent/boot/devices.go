package boot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A disk, as the two buses number it. A device of virtio 1.0 has the number of its kind in that of
// its PCI device, so one cannot be a disk on the first bus and something else on the second.
const (
	virtioVendor = "0x1af4"
	pciDisk      = "0x1042"
	virtioDisk   = "0x0002"
)

// buses are those of the guest's devices.
type buses struct {
	// root is /sys/bus.
	root  string
	write func(path, value string) error
	// finding: two that look at once would both give a driver to one device.
	finding sync.Mutex
	// booted has the PCI devices that the guest was booted with; nil before the first look.
	booted map[string]bool
}

var guestBuses = buses{root: "/sys/bus", write: func(path, value string) error { return os.WriteFile(path, []byte(value), 0) }}

// FindDisks looks for disks on the PCI bus of which the kernel gets no notice: a confidential guest
// believes none of its host's ACPI, and so has no hot-plug. All else that the host has attached
// has no driver then. Linux 6.12 asks the drivers of PCI about what it finds, whatever
// drivers_autoprobe of that bus says; the command line leaves out all but that of virtio, which
// knows what kind of device it has before any driver of that kind is started.
func FindDisks() error { return guestBuses.findDisks() }

// keep is called before the first look, when the pod has all of its drivers. From then on, the
// guest drives the devices that it was booted with, and disks. The kernel starts no driver of
// virtio by itself any more, neither for a device nor where one is loaded.
func (b *buses) keep() error {
	for _, bus := range []string{"pci", "virtio"} {
		if err := b.set(bus+"/drivers_autoprobe", "0"); err != nil {
			return &StepError{"keep the devices of the bus " + bus, err}
		}
	}
	devices, err := b.devices()
	if err != nil {
		return &StepError{"list the devices", err}
	}
	b.booted = map[string]bool{}
	for _, address := range devices {
		b.booted[address] = true
	}
	return nil
}

// devices has the addresses of all PCI devices.
func (b *buses) devices() (addresses []string, err error) {
	entries, err := os.ReadDir(filepath.Join(b.root, "pci/devices"))
	for _, entry := range entries {
		addresses = append(addresses, entry.Name())
	}
	return addresses, err
}

func (b *buses) findDisks() error {
	b.finding.Lock()
	defer b.finding.Unlock()
	if b.booted == nil {
		if err := b.keep(); err != nil {
			return err
		}
	}
	if err := b.set("pci/rescan", "1"); err != nil {
		return err
	}
	devices, err := b.devices()
	if err != nil {
		return err
	}
	// Drivers of others are stopped before any disk is used.
	var disks []string
	for _, address := range devices {
		device := filepath.Join(b.root, "pci/devices", address)
		switch {
		case b.booted[address]:
		case has(device, "vendor", virtioVendor) && has(device, "device", pciDisk):
			disks = append(disks, device)
		default:
			if err := b.unbind(device); err != nil {
				return err
			}
		}
	}
	for _, device := range disks {
		if err := b.bindDisk(device); err != nil {
			return err
		}
	}
	return nil
}

// bindDisk starts the drivers of a disk that has none.
func (b *buses) bindDisk(device string) error {
	if err := b.bind(device, "pci/drivers/virtio-pci"); err != nil {
		return err
	}
	below, err := filepath.Glob(filepath.Join(device, "virtio*"))
	if err != nil {
		return err
	}
	for _, disk := range below {
		if !has(disk, "device", virtioDisk) {
			continue
		}
		if err := b.bind(disk, "virtio/drivers/virtio_blk"); err != nil {
			return err
		}
	}
	return nil
}

// bind starts a driver for a device that has none.
func (b *buses) bind(device, driver string) error {
	switch _, err := os.Lstat(filepath.Join(device, "driver")); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return b.set(driver+"/bind", filepath.Base(device))
}

// unbind stops the driver of a device that has one.
func (b *buses) unbind(device string) error {
	driver := filepath.Join(device, "driver")
	switch _, err := os.Lstat(driver); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return b.write(filepath.Join(driver, "unbind"), filepath.Base(device))
}

func (b *buses) set(path, value string) error { return b.write(filepath.Join(b.root, path), value) }

// has says whether a file of a device has a value. A device that is gone has none.
func has(device, file, value string) bool {
	text, err := os.ReadFile(filepath.Join(device, file))
	return err == nil && strings.TrimSpace(string(text)) == value
}
