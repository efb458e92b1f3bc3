package sandbox

import (
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
)

// A guest is prepared for what nearly every spec asks for. For another spec, SetUp keeps what fits
// and makes the rest again.
var (
	expectedMTU          int64 = 32700
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

// Prepare does what SetUp does with a usual spec, as far as that needs no spec.
func (s *Sandbox) Prepare(l *process.Launcher) error {
	device, found, err := findLink("")
	if err != nil {
		return err
	}
	if found {
		if _, err := s.MakeNetwork(&expectedNIC, NIC{index: device.index, outside: s.outside}); err != nil {
			return err
		}
	}
	if err := s.texts.Prepare(); err != nil {
		return err
	}
	none, err := s.MakeNetwork(&spec.Network{Kind: spec.NetworkNone}, NIC{})
	if err != nil {
		return err
	}
	if err := s.thread.do(func() error { return s.startMain(l, none) }); err != nil {
		return err
	}
	if s.disks, err = layers.ListDisks(); err != nil {
		return err
	}
	if s.disks[expectedSerial] != "" {
		if err := s.takeChanges(expectedChanges, nil); err != nil {
			return err
		}
	}
	return s.KeepBase()
}
