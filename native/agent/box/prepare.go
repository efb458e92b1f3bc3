package box

import (
	"runtime"
	"syscall"
)

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

// Prepare does all of a box's set-up that does not depend on its spec. After it, until Wake, every other verb fails with ErrAsleep;
// so it does for ever when this fails.
func (b *Box) Prepare() error {
	if err := b.fallAsleep(); err != nil {
		return err
	}
	if err := b.drivers(UseNIC); err != nil {
		return err
	}
	// Not at the end: it empties the allocator's caches, which every copy would fill again.
	runtime.GC()
	if err := b.makeGround(expectedProtection); err != nil {
		return err
	}
	if err := b.ground.prepare(&b.launcher); err != nil {
		return err
	}
	if _, err := b.launcher.cgroup.limit(&Resources{MemoryBytes: &expectedMemory}); err != nil {
		return err
	}
	if _, err := b.launcher.cgroup.oomKills(); err != nil {
		return err
	}
	if err := b.keepSpare(); err != nil {
		return err
	}
	b.filters.of(capabilitySet(expectedCapabilities))
	// What is dirty would be written by every copy.
	syscall.Sync()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prepared = true
	return nil
}

func (b *Box) fallAsleep() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return ErrStopping
	case b.asleep || b.spec != nil || b.ground != nil:
		return ErrPrepared
	}
	b.asleep = true
	return nil
}

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
	return g.thread.do(g.keepBase)
}
