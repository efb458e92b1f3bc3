package launchspec

import (
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// boxDevices are the devices of the guest that a box may be given, by their paths below /dev.
var boxDevices = []string{"fuse", "net/tun"}

// devices takes devices in one order. A privileged box has all devices, so that rules for some
// would say less than there is.
func (c *checks) devices(f *Confinement, of string) {
	if f.Devices != nil {
		c.that(len(*f.Devices) > 0, of+"confinement.devices", "must have an entry")
		for _, name := range *f.Devices {
			c.that(slices.Contains(boxDevices, name), of+"confinement.devices", "must be of fuse and net/tun")
		}
		c.that(ascending(*f.Devices), of+"confinement.devices", "must be sorted, each once")
	}
	if f.DeviceRules == nil {
		return
	}
	c.that(f.Privileged == nil, of+"confinement.deviceRules", "does not belong to a privileged box")
	c.that(len(*f.DeviceRules) > 0, of+"confinement.deviceRules", "must have an entry")
	c.nested(spec.CheckDeviceRules(*f.DeviceRules))
	for index, rule := range *f.DeviceRules {
		field := of + "confinement.deviceRules[" + strconv.Itoa(index) + "]"
		c.that(isWithinBox(rule), field, "must open no device by which the box could reach its guest")
	}
}

// numbers are device numbers from the first to the last.
type numbers struct{ first, last int64 }

// The kernel gives these majors to devices that have no number of their own (find_dynamic_major in
// fs/char_dev.c): the ports to the agent and to a simulated processor are of them.
var dynamicMajors = []numbers{{234, 254}, {384, 511}}

const (
	majorMemory = 1
	majorMisc   = 10
)

// fixedMisc are the minors of majorMisc that the kernel never chooses by itself (misc_minor_alloc
// in drivers/char/misc.c). It chooses that of /dev/sev-guest.
var fixedMisc = numbers{128, 254}

// guestMemory are /dev/mem, /dev/kmem and /dev/port. guestMisc are /dev/snapshot, which has all
// memory too, and /dev/mapper/control, which has the disks. The kernel asks for capabilities that
// no box has; no rule permits them either.
var (
	guestMemory = []int64{1, 2, 4}
	guestMisc   = []int64{231, 236}
)

func (n numbers) has(number int64) bool { return n.first <= number && number <= n.last }

// isWithinBox says whether a rule opens neither the secure processor, nor the port of the agent,
// nor the guest's memory or disks: with the processor a box could have reports of every purpose,
// and ask for the keys of other boxes. A rule that lets a box make nodes opens nothing.
func isWithinBox(rule spec.DeviceRule) bool {
	if rule.Kind == spec.DeviceAll {
		return false
	}
	if !strings.ContainsAny(rule.Access, "rw") {
		return true
	}
	if rule.Kind == spec.DeviceBlock || rule.Major == nil {
		return false
	}
	major := *rule.Major
	switch {
	case major == majorMemory:
		return rule.Minor != nil && !slices.Contains(guestMemory, *rule.Minor)
	case major == majorMisc:
		return rule.Minor != nil && fixedMisc.has(*rule.Minor) && !slices.Contains(guestMisc, *rule.Minor)
	}
	return !slices.ContainsFunc(dynamicMajors, func(n numbers) bool { return n.has(major) })
}

// maxCall bounds the name of a system call.
const maxCall = 64

// seccomp takes the numbers of a profile in their one spelling.
func (c *checks) seccomp(f *Confinement, of string) {
	c.nestedIn(of, spec.CheckSeccomp(f.Seccomp, f.SeccompProfile))
	if f.SeccompProfile == nil {
		return
	}
	for index, rule := range f.SeccompProfile.Rules {
		field := of + "confinement.seccompProfile.rules[" + strconv.Itoa(index) + "]"
		for _, name := range rule.Names {
			c.that(isText(name, maxCall), field+".names", "holds a text that is too long or holds NUL")
		}
		for _, condition := range rule.Conditions {
			spelled := isDecimal(condition.Value) && isDecimal(condition.ValueTwo)
			c.that(spelled, field+".conditions", "holds a number in another spelling")
		}
	}
}

func isDecimal(text string) bool {
	number, err := strconv.ParseUint(text, 10, 64)
	return err == nil && strconv.FormatUint(number, 10) == text
}
