package launchspec

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/signals"
	"a3s.dev/box/agent/strictjson"
)

// Bounds of launch-spec.ts and box-spec.ts in policies/src/launch-spec. Those of texts count
// characters.
const (
	maxString       = 128 << 10
	maxPath         = 4096
	maxUser         = 256
	maxList         = 65536
	maxLayers       = 128
	maxCapabilities = 64
	maxPaths        = 256
	maxSecrets      = 64
	maxInjectors    = 64
	maxDeadline     = 86400
	blockBytes      = 4096
	minChanges      = 32 << 20
	maxChanges      = 8 << 40
)

// Parse reads a launch spec. It accepts one text for each spec, so that the digest of the bytes
// covers all that is returned. Its errors name the field.
func Parse(text []byte) (*Spec, error) {
	if len(text) > MaxBytes {
		return nil, &strictjson.Error{Reason: "has more than " + strconv.Itoa(MaxBytes) + " bytes"}
	}
	if isPod(text) {
		return parsePod(text)
	}
	spec := &Spec{}
	if err := strictjson.Decode(text, spec); err != nil {
		return nil, err
	}
	if !bytes.Equal(canonical(spec), text) {
		return nil, &strictjson.Error{Reason: "is not in canonical form (RFC 8785)"}
	}
	c := &checks{}
	c.spec(spec)
	if c.err != nil {
		return nil, c.err
	}
	return spec, nil
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

func (c *checks) spec(s *Spec) {
	c.that(s.Schema == Schema, "schema", "must be "+Schema)
	c.that(isDigest(s.Image.ManifestDigest), "image.manifestDigest", "is not a digest")
	c.rootfs(&s.Rootfs, "")
	c.process(&s.Process, "")
	c.stopSignal(s.StopSignal, "")
	c.confinement(&s.Confinement, "")
	c.that(s.Confinement.GroupsPolicy == nil, "confinement.groupsPolicy", "belongs to containers of a pod")
	// Any privileged box could ask the processor for the keys of any other.
	seals := s.Sealing != SealingNone || s.Volumes != nil
	c.that(!s.IsPrivileged() || !seals, "confinement.privileged", "does not belong to a box that seals, or has sealed volumes")
	c.changes(&s.Rootfs, &s.Resources, "")
	c.directories(s.Directories)
	c.tmpfs(s.Tmpfs, "")
	c.common(s)
	c.volumes(s)
	c.egress(s)
	c.hostNetworks(s)
	c.hostNames(s)
}

// common are the fields that boxes and pods have alike.
func (c *checks) common(s *Spec) {
	c.that(s.Deployment == "" || isName(s.Deployment), "deployment", "is not a name")
	c.that(isHostname(s.Hostname), "hostname", "is not a host name")
	c.that(s.Network == spec.NetworkNone || s.Network == spec.NetworkNIC, "network", "must be none or nic")
	c.options(s)
	c.resources(&s.Resources, "")
	c.nested(spec.CheckShm(s.ShmBytes))
	c.hostMay(s.HostMay)
	c.secrets(s.Secrets)
	c.between(s.SecretsDeadline, 1, maxDeadline, "secretsDeadline")
	c.sealing(s)
	c.broker(s)
	c.hosts(s.Hosts)
	c.resolver(s)
}

func (c *checks) stopSignal(name, of string) {
	_, known := signals.Parse(name)
	c.that(known && strings.HasPrefix(name, "SIG"), of+"stopSignal", "is not a signal")
}

// sealing takes an absent list as the only way to say that nobody seals from outside.
func (c *checks) sealing(s *Spec) {
	switch s.Sealing {
	case SealingNone, SealingExact, SealingUpgradable:
	default:
		c.that(false, "sealing", "must be none, exact or upgradable")
	}
	if s.Sealers == nil {
		return
	}
	c.that(s.Sealing != SealingNone, "sealers", "does not belong to a box that seals nothing")
	c.between(int64(len(*s.Sealers)), 1, maxInjectors, "sealers")
	for _, digest := range *s.Sealers {
		c.that(isSHA256(digest), "sealers", "holds what is not a SHA-256 digest")
	}
	c.that(ascending(*s.Sealers), "sealers", "must be sorted, each once")
}

// nested keeps what a check of package spec found.
func (c *checks) nested(err error) {
	if c.err == nil {
		c.err = err
	}
}

// nestedIn is nested for a field that begins with of.
func (c *checks) nestedIn(of string, err error) {
	var wrong *strictjson.Error
	if errors.As(err, &wrong) {
		err = &strictjson.Error{Path: of + wrong.Path, Reason: wrong.Reason}
	}
	c.nested(err)
}

// rootfs checks that of a box, or of the container whose field begins with of.
func (c *checks) rootfs(r *Rootfs, of string) {
	c.between(int64(len(r.Layers)), 1, maxLayers, of+"rootfs.layers")
	for index, layer := range r.Layers {
		field := of + "rootfs.layers[" + strconv.Itoa(index) + "]."
		c.that(isDigest(layer.DiffID), field+"diffId", "is not a digest")
		c.that(layer.Bytes >= blockBytes && layer.Bytes%blockBytes == 0, field+"bytes", "must be a multiple of 4096")
		c.that(isSHA256(layer.Root), field+"root", "is not a SHA-256 digest")
	}
	c.that(r.Changes == ChangesMemory || r.Changes == ChangesEncryptedDisk, of+"rootfs.changes", "must be memory or encrypted-disk")
}

// changes takes no size in memory that would leave processes less than half of it.
func (c *checks) changes(r *Rootfs, resources *spec.Resources, of string) {
	bytes, memory := r.ChangesBytes, resources.MemoryBytes
	if bytes == nil {
		return
	}
	c.between(*bytes, minChanges, maxChanges, of+"rootfs.changesBytes")
	fits := r.Changes != ChangesMemory || memory != nil && *bytes <= *memory/2
	c.that(fits, of+"rootfs.changesBytes", "must be at most half of resources.memoryBytes")
}

func (c *checks) process(p *Process, of string) {
	c.between(int64(len(p.Args)), 1, maxList, of+"process.args")
	for _, argument := range p.Args {
		c.that(isText(argument, maxString), of+"process.args", "holds a text that is too long or holds NUL")
	}
	c.that(len(p.Env) <= maxList, of+"process.env", "has too many entries")
	for _, entry := range p.Env {
		c.that(isText(entry, maxString) && strings.Index(entry, "=") > 0, of+"process.env", "holds an entry that is not NAME=value")
	}
	c.that(isAbsolute(p.Cwd), of+"process.cwd", "is not an absolute path")
	c.that(isText(p.User, maxUser), of+"process.user", "is too long or holds NUL")
}

// guestCapabilities reach beyond the box: to devices, through mounts of configfs or devtmpfs, to
// the agent's memory, and to processes that the agent is about to start. CAP_DAC_READ_SEARCH opens
// files by handles: also the directory behind the box's device nodes, which is not nodev, and where
// root could make others. Who has one of them may be able to ask the secure processor for a report
// over any bytes, which is then as good as the agent's own. Only a privileged box has them.
var guestCapabilities = []string{
	"CAP_BPF", "CAP_DAC_READ_SEARCH", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO",
}

func (c *checks) confinement(f *Confinement, of string) {
	c.that(len(f.Capabilities) <= maxCapabilities, of+"confinement.capabilities", "has too many entries")
	for _, name := range f.Capabilities {
		_, known := capability.Number(name)
		c.that(known, of+"confinement.capabilities", "holds what is not a capability")
		allowed := f.Privileged != nil || !slices.Contains(guestCapabilities, name)
		c.that(allowed, of+"confinement.capabilities", "holds "+name+", which is good for the whole guest")
	}
	c.seccomp(f, of)
	c.devices(f, of)
	c.that(f.Privileged == nil || *f.Privileged, of+"confinement.privileged", "must be true or absent")
	c.paths(f.MaskedPaths, of+"confinement.maskedPaths")
	c.paths(f.ReadonlyPaths, of+"confinement.readonlyPaths")
}

// options takes settings of the kernel in one order.
func (c *checks) options(s *Spec) {
	c.nested(spec.CheckOptions(s.Confinement.Groups, s.Confinement.OOMScore, s.Domainname, s.Sysctls))
	if s.Sysctls == nil {
		return
	}
	c.that(len(*s.Sysctls) > 0, "sysctls", "must have an entry")
	names := make([]string, len(*s.Sysctls))
	for index, setting := range *s.Sysctls {
		names[index] = setting.Path
	}
	c.that(ascending(names), "sysctls", "must be sorted by path, each once")
}

func (c *checks) paths(paths []string, field string) {
	c.that(len(paths) <= maxPaths, field, "has too many entries")
	for _, path := range paths {
		c.that(isAbsolute(path), field, "holds what is not an absolute path")
	}
}

// directories takes each path in its one spelling. An absent list is the only way to say that there
// are none.
func (c *checks) directories(directories *[]string) {
	if directories == nil {
		return
	}
	c.between(int64(len(*directories)), 1, maxPaths, "directories")
	for _, name := range *directories {
		c.that(isAbsolute(name) && name != "/" && path.Clean(name) == name, "directories", "holds what is not a clean absolute path")
	}
	c.that(ascending(*directories), "directories", "must be sorted, each once")
}

// tmpfs takes each destination in its one spelling, and one order of them.
func (c *checks) tmpfs(list *[]spec.Tmpfs, of string) {
	if list == nil {
		return
	}
	c.that(len(*list) > 0, of+"tmpfs", "must have an entry")
	c.nested(spec.CheckTmpfs(list, of+"tmpfs"))
	destinations := make([]string, len(*list))
	for index, t := range *list {
		destinations[index] = t.Destination
		c.that(isAbsolute(t.Destination) && path.Clean(t.Destination) == t.Destination, of+"tmpfs", "holds what is not a clean absolute path")
	}
	c.that(ascending(destinations), of+"tmpfs", "must be sorted by destination, each once")
}

func (c *checks) resources(r *spec.Resources, of string) {
	c.nested(spec.CheckResources(r, of+"resources."))
	if r.Ulimits == nil {
		return
	}
	for _, limit := range *r.Ulimits {
		// A core dump is the workload's memory in a file.
		c.that(limit.Name != "core" || limit.Soft == 0 && limit.Hard == 0, of+"resources.ulimits", "lets the workload leave core dumps")
	}
}

func (c *checks) hostMay(permissions []string) {
	for _, permission := range permissions {
		switch permission {
		case MayAttach, MayExec, MayFiles, MayLogs, MaySignals, MayStats:
		default:
			c.that(false, "hostMay", "holds what is not a permission")
		}
	}
	c.that(ascending(permissions), "hostMay", "must be sorted, each once")
}
