package launchspec

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/seccomp"
	"a3s.dev/box/agent/strictjson"
)

// RequestSchema is the schema of a host's request for a container of a confidential pod.
const RequestSchema = "a3s-box/container-request/v1"

// maxHostValue bounds the value of a variable that the host chooses, in characters.
const maxHostValue = 4096

// containerRequest is what a host asks for. It says what Kubernetes wants the container to be, and
// decides nothing: a host that lies gets the container of the launch spec.
type containerRequest struct {
	Schema         string           `json:"schema"`
	Container      string           `json:"container"`
	Image          Image            `json:"image"`
	Process        Process          `json:"process"`
	StopSignal     string           `json:"stopSignal"`
	Confinement    askedConfinement `json:"confinement"`
	ReadonlyRootfs bool             `json:"readonlyRootfs"`
	Resources      askedResources   `json:"resources"`
	Mounts         []string         `json:"mounts"`
}

// askedConfinement is without what a node adds by itself: paths to mask, and OOM scores.
type askedConfinement struct {
	Capabilities    []string         `json:"capabilities"`
	NoNewPrivileges bool             `json:"noNewPrivileges"`
	Seccomp         string           `json:"seccomp"`
	SeccompProfile  *seccomp.Profile `json:"seccompProfile"`
	Groups          *[]string        `json:"groups"`
	GroupsPolicy    *string          `json:"groupsPolicy"`
}

// askedResources are the limits that a user of Kubernetes writes down. What a node makes of
// requests, such as weights, is not asked for.
type askedResources struct {
	MemoryBytes *int64 `json:"memoryBytes"`
	CPUMillis   *int64 `json:"cpuMillis"`
}

// ContainerError is a container that the launch spec does not permit.
type ContainerError struct {
	// Rule is the field of the launch spec that decided.
	Rule   string
	Reason string
}

func (e *ContainerError) Error() string {
	return "the launch spec does not permit the container: " + e.Rule + ": " + e.Reason
}

// ForContainer is the container of a host's request, as package box makes it, with its name. Its
// errors are those of strictjson for what is no request, and ContainerError.
func (s *Spec) ForContainer(request []byte) (name string, made *spec.Spec, err error) {
	asked := &containerRequest{}
	if err := strictjson.Decode(request, asked); err != nil {
		return "", nil, err
	}
	if asked.Schema != RequestSchema {
		return "", nil, &strictjson.Error{Path: "schema", Reason: "must be " + RequestSchema}
	}
	index, named := s.find(asked.Container)
	if named == nil {
		return "", nil, &ContainerError{"containers", "it names no container " + strconv.QuoteToASCII(asked.Container)}
	}
	env, err := named.permits(asked)
	if err != nil {
		return "", nil, err
	}
	return named.Name, s.container(index, named, env), nil
}

// permits returns the entries of the environment that the host chooses, sorted by name.
func (c *Container) permits(asked *containerRequest) (env []string, err error) {
	process, confinement := &c.Process, &c.Confinement
	for _, field := range []struct {
		rule string
		same bool
	}{
		{"image", asked.Image == c.Image},
		{"process.args", slices.Equal(asked.Process.Args, process.Args)},
		{"process.cwd", asked.Process.Cwd == process.Cwd},
		{"process.user", asked.Process.User == process.User},
		{"process.terminal", asked.Process.Terminal == process.Terminal},
		{"process.stdin", asked.Process.Stdin == process.Stdin},
		{"stopSignal", asked.StopSignal == c.StopSignal},
		{"confinement.capabilities", sameSet(asked.Confinement.Capabilities, confinement.Capabilities)},
		{"confinement.noNewPrivileges", asked.Confinement.NoNewPrivileges == confinement.NoNewPrivileges},
		{"confinement.seccomp", asked.Confinement.Seccomp == confinement.Seccomp},
		{"confinement.seccompProfile", sameProfile(asked.Confinement.SeccompProfile, confinement.SeccompProfile)},
		{"confinement.groups", slices.Equal(listOf(asked.Confinement.Groups), listOf(confinement.Groups))},
		{"confinement.groupsPolicy", samePointer(asked.Confinement.GroupsPolicy, confinement.GroupsPolicy)},
		{"rootfs.readonly", asked.ReadonlyRootfs == c.Rootfs.Readonly},
		{"resources.memoryBytes", samePointer(asked.Resources.MemoryBytes, c.Resources.MemoryBytes)},
		{"resources.cpuMillis", samePointer(asked.Resources.CPUMillis, c.Resources.CPUMillis)},
	} {
		if !field.same {
			return nil, &ContainerError{"containers." + field.rule, "it is another one than was asked for"}
		}
	}
	if err := c.permitsMounts(asked.Mounts); err != nil {
		return nil, err
	}
	return c.permitsEnv(asked.Process.Env)
}

// permitsMounts lets a host ask for mounts where the spec says that there are none of the host's.
func (c *Container) permitsMounts(destinations []string) error {
	for _, destination := range destinations {
		own := slices.Contains(listOf(c.IgnoredMounts), destination)
		if c.Tmpfs != nil {
			own = own || slices.ContainsFunc(*c.Tmpfs, func(t spec.Tmpfs) bool { return t.Destination == destination })
		}
		if !own {
			return &ContainerError{"containers.ignoredMounts", "nothing of the host is mounted at " + strconv.QuoteToASCII(destination)}
		}
	}
	return nil
}

func (c *Container) permitsEnv(entries []string) (chosen []string, err error) {
	own := map[string]bool{}
	for _, entry := range c.Process.Env {
		own[entry] = true
	}
	seen := map[string]bool{}
	found := 0
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		quoted := strconv.QuoteToASCII(name)
		switch {
		case !ok || name == "" || seen[name]:
			return nil, &ContainerError{"containers.process.env", "the variable " + quoted + " is no variable, or is given twice"}
		case own[entry]:
			found++
		case !slices.Contains(listOf(c.HostEnv), name):
			return nil, &ContainerError{"containers.process.env", "it has no variable " + quoted + " of that value"}
		case !isText(value, maxHostValue) || strings.ContainsFunc(value, isControl):
			return nil, &ContainerError{"containers.hostEnv", "the value of " + quoted + " is too long, or has a control character"}
		default:
			chosen = append(chosen, entry)
		}
		seen[name] = true
	}
	if found < len(c.Process.Env) {
		return nil, &ContainerError{"containers.process.env", "a variable of it was not asked for"}
	}
	slices.SortFunc(chosen, func(a, b string) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return chosen, nil
}

func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }

// container describes a container with what it has of the pod. The disks of the first container of
// the spec have the serials c0-l0, c0-l1 and so on.
func (s *Spec) container(index int, c *Container, env []string) *spec.Spec {
	rootfs := c.Rootfs.box()
	rootfs.Layers = c.Rootfs.layers("c" + strconv.Itoa(index) + "-l")
	return &spec.Spec{
		Hostname: s.Hostname, Domainname: s.Domainname, Hosts: s.Hosts, Network: s.network(), Rootfs: rootfs,
		Process: spec.Process{
			Args: c.Process.Args, Env: append(slices.Clone(c.Process.Env), env...), Cwd: c.Process.Cwd, User: c.Process.User,
			Terminal: c.Process.Terminal, Stdin: c.Process.Stdin,
		},
		Confinement: c.Confinement.box(), Resources: c.Resources, Tmpfs: c.Tmpfs,
	}
}

// OfContainer is the spec with what is one container's: its stop signal, which is what a host may
// send to it, and the secrets that it gets.
func (s *Spec) OfContainer(name string) *Spec {
	of := *s
	if _, c := s.find(name); c != nil {
		of.StopSignal, of.Secrets = c.StopSignal, s.secretsOf(c)
	}
	return &of
}

func listOf(list *[]string) []string {
	if list == nil {
		return nil
	}
	return *list
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func samePointer[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func sameProfile(a, b *seccomp.Profile) bool {
	return a == b || a != nil && b != nil && bytes.Equal(canonicalOf(a), canonicalOf(b))
}
