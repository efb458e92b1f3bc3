package spec

import (
	"strconv"

	"a3s.dev/box/agent/strictjson"
)

// Schemas of the documents of a pod.
const (
	PodSchema       = "a3s-box/pod-spec/v1"
	ContainerSchema = "a3s-box/container-spec/v1"
)

// pod is the document that says what the containers of a pod have in common;
// policies/src/launch-spec/pod-spec.ts describes every field.
type pod struct {
	Schema     string    `json:"schema"`
	Hostname   string    `json:"hostname"`
	Network    Network   `json:"network"`
	Hosts      *[]Host   `json:"hosts"`
	Resources  Resources `json:"resources"`
	ShmBytes   *int64    `json:"shmBytes"`
	Domainname *string   `json:"domainname"`
	Sysctls    *[]Sysctl `json:"sysctls"`
	// Privileged: some of the containers may be; nil is false.
	Privileged *bool `json:"privileged"`
}

// container is the document of one container of a pod. Its fields are those of a box spec.
type container struct {
	Schema      string      `json:"schema"`
	Rootfs      Rootfs      `json:"rootfs"`
	Process     Process     `json:"process"`
	Mounts      []Mount     `json:"mounts"`
	Confinement Confinement `json:"confinement"`
	Resources   Resources   `json:"resources"`
	Init        *bool       `json:"init"`
	Directories *[]string   `json:"directories"`
	Tmpfs       *[]Tmpfs    `json:"tmpfs"`
	Pids        *Pids       `json:"pids"`
}

// Kinds of Pids.
const (
	PidsOfPod       = "pod"
	PidsOfContainer = "container"
)

// Pids is the PID namespace that a container shares: that of its pod, or of another container of
// it.
type Pids struct {
	Kind string `json:"kind"`
	// ID is that of the other container.
	ID *string `json:"id"`
}

// ParsePod reads and checks the document of a pod. The spec has neither a root nor a process.
func ParsePod(data []byte) (*Spec, error) {
	document := &pod{}
	if err := strictjson.Decode(data, document); err != nil {
		return nil, err
	}
	c := &checks{}
	c.that(document.Schema == PodSchema, "schema", "must be "+PodSchema)
	c.that(IsHostname(document.Hostname), "hostname", "is not a host name")
	c.network(&document.Network)
	c.hosts(document.Hosts)
	c.resources(&document.Resources, "resources.")
	c.that(document.Resources.Ulimits == nil, "resources.ulimits", "belongs to containers")
	c.shm(document.ShmBytes)
	c.domainname(document.Domainname)
	c.sysctls(document.Sysctls)
	return &Spec{
		Pod: true, Hostname: document.Hostname, Network: document.Network, Hosts: document.Hosts, Resources: document.Resources,
		ShmBytes: document.ShmBytes, Domainname: document.Domainname, Sysctls: document.Sysctls,
		Confinement: Confinement{Privileged: document.Privileged},
	}, c.err
}

// ParseContainer reads and checks the document of a container, which has the names and the network
// of its pod.
func ParseContainer(data []byte, in *Spec) (*Spec, error) {
	document := &container{}
	if err := strictjson.Decode(data, document); err != nil {
		return nil, err
	}
	c := &checks{}
	c.that(document.Schema == ContainerSchema, "schema", "must be "+ContainerSchema)
	c.rootfs(&document.Rootfs)
	c.process(&document.Process, "process.")
	c.mounts(document.Mounts)
	for index, mount := range document.Mounts {
		// The agent mounts such a disk for one box, and leaves it clean when that ends.
		c.that(mount.Kind != MountDisk, "mounts["+strconv.Itoa(index)+"].kind", "must be virtiofs or image in a container")
	}
	c.confinement(&document.Confinement)
	privileged := in.Confinement.IsPrivileged() || !document.Confinement.IsPrivileged()
	c.that(privileged, "confinement.privileged", "must be false in a pod that is not privileged")
	c.resources(&document.Resources, "resources.")
	c.directories(document.Directories)
	c.tmpfs(document.Tmpfs, "tmpfs")
	if pids := document.Pids; pids != nil {
		c.that(pids.Kind == PidsOfPod || pids.Kind == PidsOfContainer, "pids.kind", "must be pod or container")
		c.that((pids.ID != nil) == (pids.Kind == PidsOfContainer), "pids.id", "belongs to the kind container, and to no other")
		// Process 1 of the namespace is another container's, or the pod's.
		c.that(document.Init == nil || !*document.Init, "init", "must be false in a PID namespace that is shared")
	}
	return &Spec{
		Hostname: in.Hostname, Domainname: in.Domainname, Hosts: in.Hosts, Network: in.Network,
		Rootfs: document.Rootfs, Process: document.Process, Mounts: document.Mounts, Confinement: document.Confinement,
		Resources: document.Resources, Init: document.Init, Directories: document.Directories, Tmpfs: document.Tmpfs, Pids: document.Pids,
	}, c.err
}
