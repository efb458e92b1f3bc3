package launchspec

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/strictjson"
)

// PodSchema is the schema of the launch spec of a pod.
const PodSchema = "a3s-box/pod-launch-spec/v1"

// Bounds of a pod's launch spec.
const (
	maxContainers    = 64
	maxHostEnv       = 64
	maxIgnoredMounts = 64
)

// podSpec is the launch spec of a pod; policies/src/launch-spec/pod-launch-spec.ts describes every
// field.
type podSpec struct {
	Schema          string         `json:"schema"`
	Deployment      string         `json:"deployment"`
	Hostname        string         `json:"hostname"`
	Network         string         `json:"network"`
	Resources       spec.Resources `json:"resources"`
	ShmBytes        *int64         `json:"shmBytes"`
	Domainname      *string        `json:"domainname"`
	Sysctls         *[]spec.Sysctl `json:"sysctls"`
	Hosts           *[]spec.Host   `json:"hosts"`
	Resolver        *Resolver      `json:"resolver"`
	HostMay         []string       `json:"hostMay"`
	Secrets         []Secret       `json:"secrets"`
	SecretsDeadline int64          `json:"secretsDeadline"`
	Sealing         string         `json:"sealing"`
	Sealers         *[]string      `json:"sealers"`
	Broker          *Broker        `json:"broker"`
	Containers      []Container    `json:"containers"`
}

// Container is a container that the pod may have, and no other.
type Container struct {
	Name        string         `json:"name"`
	Image       Image          `json:"image"`
	Rootfs      Rootfs         `json:"rootfs"`
	Process     Process        `json:"process"`
	StopSignal  string         `json:"stopSignal"`
	Confinement Confinement    `json:"confinement"`
	Resources   spec.Resources `json:"resources"`
	Tmpfs       *[]spec.Tmpfs  `json:"tmpfs"`
	// HostEnv are the variables whose values the host may choose; nil is none.
	HostEnv *[]string `json:"hostEnv"`
	// IgnoredMounts are where the host may ask for mounts, of which there are none; nil is nowhere.
	IgnoredMounts *[]string `json:"ignoredMounts"`
	// Secrets are the names of the secrets that it gets; nil is all of the pod.
	Secrets *[]string `json:"secrets"`
}

// IsPod says whether the spec is that of a pod.
func (s *Spec) IsPod() bool { return s.Containers != nil }

// isPod says whether a text can only be the launch spec of a pod. No text of another has these
// bytes: within a string the quotation marks would be escaped.
func isPod(text []byte) bool { return bytes.Contains(text, []byte(`"schema":"`+PodSchema+`"`)) }

func parsePod(text []byte) (*Spec, error) {
	document := &podSpec{}
	if err := strictjson.Decode(text, document); err != nil {
		return nil, err
	}
	if !bytes.Equal(canonicalOf(document), text) {
		return nil, &strictjson.Error{Reason: "is not in canonical form (RFC 8785)"}
	}
	d := document
	s := &Spec{
		Schema: d.Schema, Deployment: d.Deployment, Hostname: d.Hostname, Network: d.Network, Resources: d.Resources,
		ShmBytes: d.ShmBytes, Domainname: d.Domainname, Sysctls: d.Sysctls, Hosts: d.Hosts, Resolver: d.Resolver,
		HostMay: d.HostMay, Secrets: d.Secrets, SecretsDeadline: d.SecretsDeadline, Sealing: d.Sealing, Sealers: d.Sealers,
		Broker: d.Broker, Containers: d.Containers,
	}
	c := &checks{}
	c.that(s.Schema == PodSchema, "schema", "must be "+PodSchema)
	c.common(s)
	c.that(s.Resources.Ulimits == nil, "resources.ulimits", "belongs to containers")
	for index, secret := range s.Secrets {
		// The containers of a pod come and go, and each has files of its own.
		c.that(secret.Refresh == nil, "secrets["+strconv.Itoa(index)+"].refresh", "does not belong to a pod")
	}
	c.between(int64(len(s.Containers)), 1, maxContainers, "containers")
	var names []string
	for index := range s.Containers {
		names = append(names, s.Containers[index].Name)
		c.container(s, &s.Containers[index], "containers["+strconv.Itoa(index)+"].")
	}
	c.that(ascending(names), "containers", "must be sorted by name, each once")
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

func (c *checks) container(s *Spec, of *Container, field string) {
	c.that(isContainerName(of.Name), field+"name", "is not the name of a container")
	c.that(isDigest(of.Image.ManifestDigest), field+"image.manifestDigest", "is not a digest")
	c.rootfs(&of.Rootfs, field)
	// An encrypted disk is made for one box, whose guest ends with it.
	c.that(of.Rootfs.Changes == ChangesMemory, field+"rootfs.changes", "must be memory in a pod")
	c.process(&of.Process, field)
	c.stopSignal(of.StopSignal, field)
	c.confinement(&of.Confinement, field)
	// Its command line is not that of a privileged guest, and the drivers of devices are not
	// loaded.
	c.that(of.Confinement.Privileged == nil, field+"confinement.privileged", "does not belong to a pod")
	c.that(of.Confinement.Devices == nil, field+"confinement.devices", "does not belong to a pod")
	c.that(of.Confinement.DeviceRules == nil, field+"confinement.deviceRules", "does not belong to a pod")
	c.nestedIn(field, spec.CheckOptions(of.Confinement.Groups, of.Confinement.OOMScore, nil, nil))
	if policy := of.Confinement.GroupsPolicy; policy != nil {
		c.that(*policy == spec.GroupsMerge || *policy == spec.GroupsStrict, field+"confinement.groupsPolicy", "must be merge or strict")
	}
	c.resources(&of.Resources, field)
	c.changes(&of.Rootfs, &of.Resources, field)
	c.tmpfs(of.Tmpfs, field)
	c.secretsOf(s, of, field)
	c.ofHost(s, of, field)
}

// ofHost takes what a host may choose of a container: nothing that the spec says otherwise.
func (c *checks) ofHost(s *Spec, of *Container, field string) {
	taken := map[string]bool{}
	for _, entry := range of.Process.Env {
		name := nameOf(entry)
		c.that(!taken[name], field+"process.env", "has a variable twice")
		taken[name] = true
	}
	for _, secret := range s.secretsOf(of) {
		if variable := secret.Target.Variable; variable != nil {
			c.that(!taken[*variable], field+"process.env", "has the variable of a secret")
			taken[*variable] = true
		}
	}
	if of.HostEnv != nil {
		c.between(int64(len(*of.HostEnv)), 1, maxHostEnv, field+"hostEnv")
		for _, name := range *of.HostEnv {
			c.that(isVariable(name), field+"hostEnv", "holds what is not the name of a variable")
			c.that(!taken[name], field+"hostEnv", "holds a variable that has a value")
		}
		c.that(ascending(*of.HostEnv), field+"hostEnv", "must be sorted, each once")
	}
	if of.IgnoredMounts == nil {
		return
	}
	c.between(int64(len(*of.IgnoredMounts)), 1, maxIgnoredMounts, field+"ignoredMounts")
	for _, name := range *of.IgnoredMounts {
		c.that(isAbsolute(name) && name != "/" && path.Clean(name) == name, field+"ignoredMounts", "holds what is not a clean absolute path")
	}
	c.that(ascending(*of.IgnoredMounts), field+"ignoredMounts", "must be sorted, each once")
}

// nameOf is the name of a variable, of an entry that was checked.
func nameOf(entry string) string {
	name, _, _ := strings.Cut(entry, "=")
	return name
}

// isContainerName is a name as Kubernetes has them.
func isContainerName(text string) bool {
	inner := func(c byte) bool { return isLowerDigit(c) || c == '-' }
	return matches(text, 63, isLowerDigit, inner) && !strings.HasSuffix(text, "-")
}

// find returns a container by its name, with its index.
func (s *Spec) find(name string) (int, *Container) {
	index := slices.IndexFunc(s.Containers, func(c Container) bool { return c.Name == name })
	if index < 0 {
		return index, nil
	}
	return index, &s.Containers[index]
}
