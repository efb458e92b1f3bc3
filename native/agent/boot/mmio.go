package boot

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/layers"
)

const (
	// mmioWord begins a word of the command line that names a virtio-mmio device. libkrun appends
	// one for each of its devices.
	mmioWord = "virtio_mmio.device="
	// disksWord begins the word with the names of the disks, in the order of the devices.
	disksWord = "a3s.disks="
	// mmioUse is the use of modules for such devices.
	mmioUse = "mmio"
)

// end is how the guest ends. A VMM with virtio-mmio devices has no ACPI that powers off, and ends a
// microVM that resets.
var end = syscall.LINUX_REBOOT_CMD_POWER_OFF

// platform is what the command line says of a VMM that has no PCI.
type platform struct {
	devices int
	disks   []string
}

func platformOf(cmdline string) platform {
	var p platform
	for _, word := range strings.Fields(cmdline) {
		// What follows is for process 1.
		if word == "--" {
			break
		}
		if strings.HasPrefix(word, mmioWord) {
			p.devices++
		}
		if names, found := strings.CutPrefix(word, disksWord); found {
			p.disks = strings.Split(names, ",")
		}
	}
	return p
}

// loadPlatform loads the drivers that a VMM without PCI needs. The kernel has found its devices by
// ACPI tables; where those do not know the addresses of this VMM, that is said here.
func (g *Guest) loadPlatform() error {
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	p := platformOf(string(cmdline))
	if p.devices == 0 {
		return nil
	}
	end = syscall.LINUX_REBOOT_CMD_RESTART
	if err := g.Load(mmioUse); err != nil {
		return err
	}
	if err := layers.NameDisks(p.disks); err != nil {
		return &StepError{"read the command line", err}
	}
	found, err := os.ReadDir("/sys/bus/virtio/devices")
	if err != nil {
		return &StepError{"find virtio-mmio devices", err}
	}
	if len(found) != p.devices {
		err := fmt.Errorf("the command line names %d, and %d were found", p.devices, len(found))
		return &StepError{"find virtio-mmio devices", err}
	}
	return nil
}
