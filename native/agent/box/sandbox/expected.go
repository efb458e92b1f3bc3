package sandbox

import (
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
)

// What a guest is prepared for: what nearly every spec asks for. Another spec takes what fits, and makes the rest anew.
var (
	expectedMTU          int64 = 65520
	expectedAddress            = "10.0.2.15"
	expectedPrefixLength int64 = 24
	expectedGateway            = "10.0.2.2"
	expectedNameservers        = []string{"10.0.2.3"}
	expectedSearch             = []string{}
	expectedNIC                = spec.Network{
		Kind: spec.NetworkNIC, MTU: &expectedMTU, Address: &expectedAddress, PrefixLength: &expectedPrefixLength,
		Gateway: &expectedGateway, Nameservers: &expectedNameservers, Search: &expectedSearch,
	}
	ExpectedProtection = rootfs.Protection{
		Readonly: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		Masked: []string{
			"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
			"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
		},
	}
	ExpectedCapabilities = []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	ExpectedMemory  int64 = 416 << 20
	expectedSerial        = "changes"
	expectedChanges       = spec.Changes{Kind: spec.ChangesDisk, Serial: &expectedSerial}
)

// Prepare does what setup does with a usual spec, as far as that needs no spec.
func (g *Sandbox) Prepare(l *process.Launcher) error {
	index, found, err := findLink("")
	if err != nil {
		return err
	}
	if found {
		if _, err := g.MakeNetwork(&expectedNIC, Nic{index, g.outside}); err != nil {
			return err
		}
	}
	if err := g.texts.Prepare(); err != nil {
		return err
	}
	none, err := g.MakeNetwork(&spec.Network{Kind: spec.NetworkNone}, Nic{})
	if err != nil {
		return err
	}
	if err := g.thread.do(func() error { return g.startMain(l, none) }); err != nil {
		return err
	}
	if g.disks, err = rootfs.ListDisks(); err != nil {
		return err
	}
	if g.disks[expectedSerial] != "" {
		if err := g.takeChanges(expectedChanges, nil); err != nil {
			return err
		}
	}
	return g.KeepBase()
}
