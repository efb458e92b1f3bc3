package spec

import (
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/seccomp"
)

const (
	maxGroups  = 256
	maxDevices = 64
	maxRules   = 256
	// maxDeviceNumber is above all numbers of the kernel's, which have 12 and 20 bits.
	maxDeviceNumber = 1<<31 - 1
	maxSysctls      = 256
	// maxProfile bounds the rules of a seccomp profile, and the names of each.
	maxProfile  = 4096
	maxOOMScore = 1000
	maxDomain   = 64
)

func (c *checks) confinement(confinement *Confinement) {
	c.that(len(confinement.Capabilities) <= 64, "confinement.capabilities", "has too many entries")
	for _, name := range confinement.Capabilities {
		_, known := capability.Number(name)
		c.that(known, "confinement.capabilities", "holds what is not a capability")
	}
	c.seccomp(confinement.Seccomp, confinement.SeccompProfile)
	for field, paths := range map[string][]string{
		"confinement.maskedPaths": confinement.MaskedPaths, "confinement.readonlyPaths": confinement.ReadonlyPaths,
	} {
		c.that(len(paths) <= maxPaths, field, "has too many entries")
		for _, path := range paths {
			c.that(isAbsolute(path), field, "holds what is not an absolute path")
		}
	}
	c.groups(confinement.Groups)
	if policy := confinement.GroupsPolicy; policy != nil {
		c.that(*policy == GroupsMerge || *policy == GroupsStrict, "confinement.groupsPolicy", "must be merge or strict")
	}
	c.oomScore(confinement.OOMScore)
	if devices := confinement.Devices; devices != nil {
		c.that(len(*devices) <= maxDevices, "confinement.devices", "has too many entries")
		for _, name := range *devices {
			c.that(isBelow(name), "confinement.devices", "holds what is not the path of a device")
		}
	}
	if rules := confinement.DeviceRules; rules != nil {
		c.deviceRules(*rules)
	}
}

// CheckDeviceRules checks the rules for devices of a document.
func CheckDeviceRules(rules []DeviceRule) error {
	c := &checks{}
	c.deviceRules(rules)
	return c.err
}

func (c *checks) deviceRules(rules []DeviceRule) {
	c.that(len(rules) <= maxRules, "confinement.deviceRules", "has too many entries")
	for index, rule := range rules {
		field := "confinement.deviceRules[" + strconv.Itoa(index) + "]."
		c.that(slices.Contains([]string{DeviceAll, DeviceChar, DeviceBlock}, rule.Kind), field+"kind", "must be all, char or block")
		for name, number := range map[string]*int64{"major": rule.Major, "minor": rule.Minor} {
			if number != nil {
				c.between(*number, 0, maxDeviceNumber, field+name)
			}
		}
		c.that(isAccess(rule.Access), field+"access", "must have letters of rwm")
	}
}

// isAccess says whether a text has some of the letters rwm, and no other.
func isAccess(text string) bool {
	return text != "" && len(text) <= 3 && strings.Trim(text, "rwm") == ""
}

// CheckSeccomp checks the seccomp profile of a document, which is nil where it is a named one.
func CheckSeccomp(name string, profile *seccomp.Profile) error {
	c := &checks{}
	c.seccomp(name, profile)
	return c.err
}

func (c *checks) seccomp(name string, profile *seccomp.Profile) {
	switch name {
	case SeccompDefault, SeccompUnconfined:
		c.that(profile == nil, "confinement.seccompProfile", "belongs to no other profile")
	case SeccompProfile:
		if profile == nil {
			c.that(false, "confinement.seccompProfile", "is missing")
			return
		}
		c.profile(profile)
	default:
		c.that(false, "confinement.seccomp", "must be default, unconfined or profile")
	}
}

func (c *checks) profile(profile *seccomp.Profile) {
	c.that(len(profile.Rules) <= maxProfile, "confinement.seccompProfile.rules", "has too many entries")
	for index, rule := range profile.Rules {
		field := "confinement.seccompProfile.rules[" + strconv.Itoa(index) + "].names"
		c.that(len(rule.Names) <= maxProfile, field, "has too many entries")
	}
	if c.err != nil {
		return
	}
	if _, err := seccomp.Compile(profile); err != nil {
		c.that(false, "confinement.seccompProfile", err.Error())
	}
}

// CheckOptions checks options of a document that are those of a box spec, each nil where it is not
// there.
func CheckOptions(groups *[]string, oomScore *int64, domainname *string, sysctls *[]Sysctl) error {
	c := &checks{}
	c.groups(groups)
	c.oomScore(oomScore)
	c.domainname(domainname)
	c.sysctls(sysctls)
	return c.err
}

func (c *checks) groups(groups *[]string) {
	if groups == nil {
		return
	}
	c.that(len(*groups) <= maxGroups, "confinement.groups", "has too many entries")
	for _, name := range *groups {
		c.that(isText(name, maxUser), "confinement.groups", "holds a text that is too long or holds NUL")
	}
}

func (c *checks) oomScore(score *int64) {
	if score != nil {
		c.between(*score, -maxOOMScore, maxOOMScore, "confinement.oomScoreAdj")
	}
}

func (c *checks) domainname(name *string) {
	if name != nil {
		c.that(matches(*name, maxDomain, isDomainByte, isDomainByte), "domainname", "is not a domain")
	}
}

// namespaced are the settings that a box has for itself: of its network, its IPC and its UTS
// namespace. All others are those of the guest.
var namespaced = []string{
	"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
	"kernel/domainname",
}

func (c *checks) sysctls(sysctls *[]Sysctl) {
	if sysctls == nil {
		return
	}
	c.that(len(*sysctls) <= maxSysctls, "sysctls", "has too many entries")
	for index, setting := range *sysctls {
		field := "sysctls[" + strconv.Itoa(index) + "]."
		own := slices.Contains(namespaced, setting.Path) || strings.HasPrefix(setting.Path, "net/") || strings.HasPrefix(setting.Path, "fs/mqueue/")
		c.that(isBelow(setting.Path) && own, field+"path", "is not a setting of a namespace")
		c.that(isText(setting.Value, maxPath), field+"value", "is too long or holds NUL")
	}
}

// isBelow says whether a text is a path below some directory, in its one spelling.
func isBelow(name string) bool {
	if !isText(name, maxUser) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}
