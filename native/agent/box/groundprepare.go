package box

// What a guest is prepared for: what nearly every spec asks for. Another spec takes what fits, and makes the rest anew.
var (
	expectedMTU          int64 = 65520
	expectedAddress            = "10.0.2.15"
	expectedPrefixLength int64 = 24
	expectedGateway            = "10.0.2.2"
	expectedNameservers        = []string{"10.0.2.3"}
	expectedSearch             = []string{}
	expectedNIC                = Network{
		Kind: NetworkNIC, MTU: &expectedMTU, Address: &expectedAddress, PrefixLength: &expectedPrefixLength,
		Gateway: &expectedGateway, Nameservers: &expectedNameservers, Search: &expectedSearch,
	}
	expectedProtection = protection{
		readonly: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		masked: []string{
			"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
			"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
		},
	}
	expectedCapabilities = []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	expectedMemory  int64 = 416 << 20
	expectedSerial        = "changes"
	expectedChanges       = Changes{Kind: ChangesDisk, Serial: &expectedSerial}
)

// prepare does what setup does with a usual spec, as far as that needs no spec.
func (g *ground) prepare(l *launcher) error {
	index, found, err := findLink("")
	if err != nil {
		return err
	}
	if found {
		if _, err := g.makeNetwork(&expectedNIC, nic{index, g.outside}); err != nil {
			return err
		}
	}
	if err := g.texts.prepare(); err != nil {
		return err
	}
	none, err := g.makeNetwork(&Network{Kind: NetworkNone}, nic{})
	if err != nil {
		return err
	}
	if err := g.thread.do(func() error { return g.park(l, none) }); err != nil {
		return err
	}
	if g.disks, err = listDisks(); err != nil {
		return err
	}
	if g.disks[expectedSerial] != "" {
		if err := g.takeChanges(expectedChanges, nil); err != nil {
			return err
		}
	}
	return g.keepBase()
}
