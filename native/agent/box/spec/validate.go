package spec

import (
	"encoding/pem"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"a3s.dev/box/agent/strictjson"
)

const (
	maxString      = 128 << 10
	maxPath        = 4096
	maxList        = 65536
	maxLayers      = 128
	maxMounts      = 64
	maxPaths       = 256
	maxUser        = 256
	maxNameservers = 16
	maxSearch      = 32
	maxOptions     = 32
	maxHosts       = 256
	maxAuthorities = 16
	maxAuthority   = 16 << 10
)

// Parse reads and checks a spec. Its errors name the field.
func Parse(data []byte) (*Spec, error) {
	spec := &Spec{}
	if err := strictjson.Decode(data, spec); err != nil {
		return nil, err
	}
	c := &checks{}
	c.that(spec.Schema == Schema, "schema", "must be "+Schema)
	c.that(IsHostname(spec.Hostname), "hostname", "is not a host name")
	c.rootfs(&spec.Rootfs)
	c.process(&spec.Process, "process.")
	c.mounts(spec.Mounts)
	c.network(&spec.Network)
	c.that(spec.Network.IPv6 == nil, "network.ipv6", "belongs to pods")
	c.hosts(spec.Hosts)
	c.confinement(&spec.Confinement)
	c.resources(&spec.Resources, "resources.")
	c.directories(spec.Directories)
	c.tmpfs(spec.Tmpfs, "tmpfs")
	c.that(spec.ShmBytes == nil || *spec.ShmBytes >= 0, "shmBytes", "must be at least 0")
	c.domainname(spec.Domainname)
	c.sysctls(spec.Sysctls)
	c.authorities(spec.Authorities)
	return spec, c.err
}

// CheckProcess checks a process that is not part of a spec.
func CheckProcess(process *Process, prefix string) error {
	c := &checks{}
	c.process(process, prefix)
	return c.err
}

// checks keeps the first thing that is wrong.
type checks struct{ err error }

func (c *checks) that(ok bool, path, reason string) {
	if !ok && c.err == nil {
		c.err = &strictjson.Error{Path: path, Reason: reason}
	}
}

func (c *checks) between(n, low, high int64, path string) {
	c.that(n >= low && n <= high, path, "must be from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
}

func (c *checks) rootfs(rootfs *Rootfs) {
	c.layers(rootfs.Layers, "rootfs.layers")
	switch changes := rootfs.Changes; changes.Kind {
	case ChangesDisk:
		c.that(changes.Serial != nil && isSerial(*changes.Serial), "rootfs.changes.serial", "is not a serial")
	case ChangesMemory:
		c.that(changes.Serial == nil, "rootfs.changes.serial", "does not belong to memory")
	default:
		c.that(false, "rootfs.changes.kind", "must be disk or memory")
	}
}

func (c *checks) layers(layers []Layer, field string) {
	c.between(int64(len(layers)), 1, maxLayers, field)
	for _, layer := range layers {
		c.that(isSerial(layer.Serial), field, "holds a serial that is not one")
	}
}

func (c *checks) process(process *Process, prefix string) {
	c.between(int64(len(process.Args)), 1, maxList, prefix+"args")
	for _, argument := range process.Args {
		c.that(isText(argument, maxString), prefix+"args", "holds a text that is too long or holds NUL")
	}
	c.that(len(process.Env) <= maxList, prefix+"env", "has too many entries")
	for _, entry := range process.Env {
		c.that(isText(entry, maxString) && strings.Index(entry, "=") > 0, prefix+"env", "holds an entry that is not NAME=value")
	}
	c.that(isAbsolute(process.Cwd), prefix+"cwd", "is not an absolute path")
	c.that(isText(process.User, maxUser), prefix+"user", "is too long or holds NUL")
	if process.Size != nil {
		c.between(process.Size.Rows, 1, 65535, prefix+"size.rows")
		c.between(process.Size.Columns, 1, 65535, prefix+"size.columns")
	}
}

func (c *checks) mounts(mounts []Mount) {
	c.that(len(mounts) <= maxMounts, "mounts", "has too many entries")
	for index, mount := range mounts {
		field := "mounts[" + strconv.Itoa(index) + "]."
		switch mount.Kind {
		case MountShare:
			c.that(mount.Tag != nil && matches(*mount.Tag, 36, isLowerDigit, isLowerDigitDash), field+"tag", "is not a tag")
			c.that(mount.File == nil || isFileName(*mount.File), field+"file", "is not the name of a file")
			c.that(mount.Serial == nil && mount.Subpath == nil, field+"serial", "does not belong to virtiofs")
		case MountDisk:
			c.that(mount.Serial != nil && isSerial(*mount.Serial), field+"serial", "is not a serial")
			c.that(mount.Subpath == nil || isPart(*mount.Subpath), field+"subpath", "is not a path below a root")
			c.that(mount.Tag == nil && mount.File == nil, field+"tag", "does not belong to disk")
		case MountImage:
			if mount.Layers == nil {
				c.that(false, field+"layers", "is missing")
				continue
			}
			c.layers(*mount.Layers, field+"layers")
			c.that(mount.Subpath == nil || isPart(*mount.Subpath), field+"subpath", "is not a path below a root")
			c.that(mount.Tag == nil && mount.File == nil && mount.Serial == nil, field+"tag", "does not belong to image")
			c.that(mount.Readonly, field+"readonly", "must be true for an image")
		default:
			c.that(false, field+"kind", "must be virtiofs, disk or image")
		}
		c.that(mount.Layers == nil || mount.Kind == MountImage, field+"layers", "belongs to image alone")
		c.that(isAbsolute(mount.Destination), field+"destination", "is not an absolute path")
		// The box's own /proc does not exist yet when shares are mounted, and would hide them.
		destination := path.Clean(mount.Destination)
		c.that(destination != "/", field+"destination", "must not be the root")
		c.that(destination != "/proc" && !strings.HasPrefix(destination, "/proc/"), field+"destination", "must not be in /proc")
		whole := mount.File == nil && mount.Subpath == nil
		c.that(!mount.Fills() || !mount.Readonly && whole, field+"fill", "must not be with readonly, file or subpath")
	}
}

func (c *checks) directories(directories *[]string) {
	if directories == nil {
		return
	}
	c.that(len(*directories) <= maxPaths, "directories", "has too many entries")
	for _, path := range *directories {
		c.that(isAbsolute(path), "directories", "holds what is not an absolute path")
	}
}

func (c *checks) network(network *Network) {
	switch network.Kind {
	case NetworkNone:
		c.that(*network == Network{Kind: NetworkNone}, "network", "has keys that do not belong to none")
		return
	case NetworkNIC:
	default:
		c.that(false, "network.kind", "must be none or nic")
		return
	}
	if network.MAC == nil || network.MTU == nil || network.Address == nil || network.PrefixLength == nil ||
		network.Gateway == nil || network.Nameservers == nil || network.Search == nil {
		c.that(false, "network", "lacks a key")
		return
	}
	c.that(IsMAC(*network.MAC), "network.mac", "is not a MAC address in lower case")
	c.between(*network.MTU, 576, 65535, "network.mtu")
	c.that(isIPv4(*network.Address), "network.address", "is not an IPv4 address")
	c.between(*network.PrefixLength, 1, 32, "network.prefixLength")
	c.that(isIPv4(*network.Gateway), "network.gateway", "is not an IPv4 address")
	c.ipv6(network.IPv6, "network.ipv6.")
	c.that(network.IPv6 == nil || *network.MTU >= minMTU6, "network.mtu", "is too small for IPv6")
	c.resolver(*network.Nameservers, *network.Search, network.Options, "network.")
}

// CheckResolver checks what a launch spec has of a resolver; nil is nothing.
func CheckResolver(nameservers, search, options *[]string, prefix string) error {
	c := &checks{}
	c.resolver(entries(nameservers), entries(search), options, prefix)
	return c.err
}

func entries(list *[]string) []string {
	if list == nil {
		return nil
	}
	return *list
}

// CheckHosts checks the lines of a launch spec.
func CheckHosts(hosts *[]Host) error {
	c := &checks{}
	c.hosts(hosts)
	return c.err
}

func (c *checks) resolver(nameservers, search []string, options *[]string, prefix string) {
	c.that(len(nameservers) <= maxNameservers, prefix+"nameservers", "has too many entries")
	for _, server := range nameservers {
		c.that(isIPv4(server), prefix+"nameservers", "holds what is not an IPv4 address")
	}
	c.that(len(search) <= maxSearch, prefix+"search", "has too many entries")
	for _, domain := range search {
		c.that(matches(domain, 253, isDomainByte, isDomainByte), prefix+"search", "holds what is not a domain")
	}
	if options == nil {
		return
	}
	c.that(len(*options) <= maxOptions, prefix+"options", "has too many entries")
	for _, option := range *options {
		c.that(matches(option, 64, isOptionByte, isOptionByte), prefix+"options", "holds what is not an option")
	}
}

func (c *checks) hosts(hosts *[]Host) {
	if hosts == nil {
		return
	}
	c.that(len(*hosts) <= maxHosts, "hosts", "has too many entries")
	for _, host := range *hosts {
		c.that(IsHostName(host.Name), "hosts", "holds a name that is not one")
		address, err := netip.ParseAddr(host.Address)
		c.that(err == nil && address.Zone() == "", "hosts", "holds what is not an address")
	}
}

// IsHostName says whether a text can be the name of a line of /etc/hosts.
func IsHostName(text string) bool { return matches(text, 253, isDomainByte, isDomainByte) }

func (c *checks) authorities(authorities *[]string) {
	if authorities == nil {
		return
	}
	c.that(len(*authorities) <= maxAuthorities, "authorities", "has too many entries")
	for _, text := range *authorities {
		c.that(len(text) <= maxAuthority && isCertificate(text), "authorities", "holds what is not one certificate in PEM")
	}
}

// isCertificate says whether a text is one PEM block of a certificate, and nothing else: it is
// written into a file with others.
func isCertificate(text string) bool {
	block, rest := pem.Decode([]byte(text))
	return block != nil && block.Type == "CERTIFICATE" && len(block.Headers) == 0 && len(rest) == 0 &&
		string(pem.EncodeToMemory(block)) == text
}

func isText(text string, limit int) bool {
	return len(text) <= 3*limit && !strings.Contains(text, "\x00")
}

func isAbsolute(path string) bool { return strings.HasPrefix(path, "/") && isText(path, maxPath) }

func isIPv4(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is4()
}

// isPart says whether a text is a relative path that does not begin above its root. The links on
// the way are the kernel's to refuse.
func isPart(text string) bool {
	clean := path.Clean(text)
	return text != "" && isText(text, maxPath) && !path.IsAbs(text) && clean != ".." && !strings.HasPrefix(clean, "../")
}

func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.ContainsAny(name, "/\x00")
}

// IsMAC says whether a text is a MAC address in lower case.
func IsMAC(text string) bool {
	if len(text) != len("00:00:00:00:00:00") {
		return false
	}
	for index := range len(text) {
		c := text[index]
		if index%3 == 2 && c != ':' || index%3 != 2 && !(isDigit(c) || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// IsHostname says whether a text is a host name that Linux takes.
func IsHostname(text string) bool {
	return matches(text, 63, isAlphanumeric, func(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' })
}

func isSerial(text string) bool { return matches(text, 20, isLowerDigit, isLowerDigitDash) }

// matches says whether text has 1 to limit bytes, the first and all others of some kind.
func matches(text string, limit int, first, other func(byte) bool) bool {
	if text == "" || len(text) > limit || !first(text[0]) {
		return false
	}
	for index := 1; index < len(text); index++ {
		if !other(text[index]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool          { return '0' <= c && c <= '9' }
func isLowerDigit(c byte) bool     { return isDigit(c) || 'a' <= c && c <= 'z' }
func isLowerDigitDash(c byte) bool { return isLowerDigit(c) || c == '-' }
func isAlphanumeric(c byte) bool   { return isLowerDigit(c) || 'A' <= c && c <= 'Z' }
func isOptionByte(c byte) bool     { return isDomainByte(c) || c == ':' }
func isDomainByte(c byte) bool     { return isAlphanumeric(c) || c == '.' || c == '_' || c == '-' }
