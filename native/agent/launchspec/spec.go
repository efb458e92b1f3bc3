// Package launchspec reads launch specs: what a confidential box is, as its relying parties see it.
package launchspec

import (
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/seccomp"
)

// Schema is the value of Spec.Schema.
const Schema = "a3s-box/launch-spec/v1"

// MaxBytes bounds the text of a launch spec.
const MaxBytes = 4 << 20

// Spec is a launch spec; policies/src/launch-spec/launch-spec.ts describes every field.
type Spec struct {
	Schema          string         `json:"schema"`
	Deployment      string         `json:"deployment"`
	Image           Image          `json:"image"`
	Hostname        string         `json:"hostname"`
	Rootfs          Rootfs         `json:"rootfs"`
	Process         Process        `json:"process"`
	StopSignal      string         `json:"stopSignal"`
	Network         string         `json:"network"`
	Confinement     Confinement    `json:"confinement"`
	Resources       spec.Resources `json:"resources"`
	Init            *bool          `json:"init"`
	Directories     *[]string      `json:"directories"`
	Tmpfs           *[]spec.Tmpfs  `json:"tmpfs"`
	ShmBytes        *int64         `json:"shmBytes"`
	HostMay         []string       `json:"hostMay"`
	Secrets         []Secret       `json:"secrets"`
	SecretsDeadline int64          `json:"secretsDeadline"`
	Sealing         string         `json:"sealing"`
	Sealers         *[]string      `json:"sealers"`
	Volumes         *[]Volume      `json:"volumes"`
	Broker          *Broker        `json:"broker"`
	Egress          *Egress        `json:"egress"`
	// Domainname and Sysctls are those of a box spec; nil is none.
	Domainname *string        `json:"domainname"`
	Sysctls    *[]spec.Sysctl `json:"sysctls"`
	// Hosts are those of a box spec; nil is none.
	Hosts *[]spec.Host `json:"hosts"`
	// Resolver is nil where names are resolved as in a box that asks for nothing.
	Resolver *Resolver `json:"resolver"`
	// HostNetworks is the most cards that the host may give the box, with what belongs to their
	// networks; nil is none.
	HostNetworks *int64 `json:"hostNetworks"`
	// HostNames are the names that the host may give addresses of these networks; nil is none.
	HostNames *[]string `json:"hostNames"`
	// Containers are those of a pod, whose text is that of PodSpec; nil for a box.
	Containers []Container `json:"-"`
}

// Resolver is what a box asks for of its resolver; what is nil is as in one that asks for nothing.
type Resolver struct {
	Nameservers *[]string `json:"nameservers"`
	Search      *[]string `json:"search"`
	Options     *[]string `json:"options"`
}

// Values of Spec.Sealing: which keys are derived for the workload, and for the holders of the keys
// in Spec.Sealers. SealingUpgradable permits the others' too.
const (
	SealingNone       = "none"
	SealingExact      = "exact"
	SealingUpgradable = "upgradable"
)

// Confinement has the privileges of every process of the box. What a box spec has besides, no
// launch spec has.
type Confinement struct {
	Capabilities    []string `json:"capabilities"`
	NoNewPrivileges bool     `json:"noNewPrivileges"`
	Seccomp         string   `json:"seccomp"`
	MaskedPaths     []string `json:"maskedPaths"`
	ReadonlyPaths   []string `json:"readonlyPaths"`
	// Groups and OOMScore are those of a box spec; nil is none, and 0.
	Groups   *[]string `json:"groups"`
	OOMScore *int64    `json:"oomScoreAdj"`
	// SeccompProfile, Devices and DeviceRules are those of a box spec; nil is none.
	SeccompProfile *seccomp.Profile   `json:"seccompProfile"`
	Devices        *[]string          `json:"devices"`
	DeviceRules    *[]spec.DeviceRule `json:"deviceRules"`
	// Privileged gives the workload all of the guest, its secure processor included; nil is false.
	Privileged *bool `json:"privileged"`
	// GroupsPolicy is that of a box spec, for containers of a pod alone.
	GroupsPolicy *string `json:"groupsPolicy"`
}

// Image is the image that the box was made from.
type Image struct {
	ManifestDigest string `json:"manifestDigest"`
}

// Kinds of Rootfs.Changes.
const (
	ChangesMemory        = "memory"
	ChangesEncryptedDisk = "encrypted-disk"
)

// Rootfs describes the box's root, lowest layer first. The disk of the first has the serial
// `layer-0`.
type Rootfs struct {
	Layers   []Layer `json:"layers"`
	Changes  string  `json:"changes"`
	Readonly bool    `json:"readonly"`
	// ChangesBytes is the size of the file system that changes go to; nil is what there is room
	// for.
	ChangesBytes *int64 `json:"changesBytes"`
}

// Layer is an EROFS image of Bytes bytes, and behind it its dm-verity tree.
type Layer struct {
	// DiffID is `sha256:…`; the tree's salt is the SHA-256 of this text.
	DiffID string `json:"diffId"`
	Bytes  int64  `json:"bytes"`
	// Root is the tree's root, in hexadecimal digits.
	Root string `json:"root"`
}

// Process is the main process of the box.
type Process struct {
	Args     []string `json:"args"`
	Env      []string `json:"env"`
	Cwd      string   `json:"cwd"`
	User     string   `json:"user"`
	Terminal bool     `json:"terminal"`
	Stdin    bool     `json:"stdin"`
}

// What a host can be permitted.
const (
	MayAttach  = "attach"
	MayExec    = "exec"
	MayFiles   = "files"
	MayLogs    = "logs"
	MaySignals = "signals"
	MayStats   = "stats"
)

// Kinds of SecretTarget.
const (
	TargetFile = "file"
	TargetEnv  = "env"
)

// Secret describes a secret that the box waits for.
type Secret struct {
	Name string `json:"name"`
	// Injectors are the SHA-256 digests of the keys that may inject it, in hexadecimal digits; none
	// where anyone may.
	Injectors        []string     `json:"injectors"`
	AllowAnyInjector bool         `json:"allowAnyInjector"`
	Target           SecretTarget `json:"delivery"`
	// Resource is the path at the broker from where the agent fetches it; nil where it is injected.
	Resource *string `json:"resource"`
	// Refresh is after how many seconds the agent fetches it again, and again after each of them;
	// nil where it is fetched once.
	Refresh *int64 `json:"refresh"`
}

// SecretTarget is how the workload gets a secret: as the file `/run/secrets/NAME`, or in a variable
// of the main process.
type SecretTarget struct {
	Kind string `json:"kind"`
	// Variable is nil for a file.
	Variable *string `json:"variable"`
}
