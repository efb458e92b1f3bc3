// Package spec has the box spec: its types, its checks, and what a box by it needs of its guest.
package spec

import "a3s.dev/box/agent/seccomp"

// Spec is the document that says what the box is; policies/src/launch-spec/box-spec.ts describes
// every field.
type Spec struct {
	Schema   string  `json:"schema"`
	Hostname string  `json:"hostname"`
	Rootfs   Rootfs  `json:"rootfs"`
	Process  Process `json:"process"`
	Mounts   []Mount `json:"mounts"`
	Network  Network `json:"network"`
	// Hosts are more lines of /etc/hosts; nil is none.
	Hosts       *[]Host     `json:"hosts"`
	Confinement Confinement `json:"confinement"`
	Resources   Resources   `json:"resources"`
	// Init has process 1 be an init of the agent's own, and the main process its child; nil is
	// false.
	Init *bool `json:"init"`
	// Directories are made where the image lacks them; nil is none.
	Directories *[]string `json:"directories"`
	// Tmpfs is nil for none.
	Tmpfs *[]Tmpfs `json:"tmpfs"`
	// ShmBytes is the size of /dev/shm; nil is the usual one, and with 0 there is no /dev/shm.
	ShmBytes *int64 `json:"shmBytes"`
	// Domainname is the NIS domain, and the domain of the host name in /etc/hosts; nil is none.
	Domainname *string `json:"domainname"`
	// Sysctls are settings of the kernel that the box's namespaces have for themselves; nil is
	// none.
	Sysctls *[]Sysctl `json:"sysctls"`
	// Authorities are certificates in PEM that the box's programs trust besides those of its image;
	// nil is none.
	Authorities *[]string `json:"authorities"`
	// Pod: the spec is that of a pod, which has neither a root nor a process of its own.
	Pod bool `json:"-"`
	// Checked: the layers of all containers of the pod have a hash tree.
	Checked bool `json:"-"`
	// Pids is the PID namespace that a container shares; nil for one of its own.
	Pids *Pids `json:"-"`
	// Attachments are the agent's own mounts; no host can name one.
	Attachments []Attachment `json:"-"`
	// OpenSealed opens a sealed disk, and returns the device with its file system; nil where there
	// is none.
	OpenSealed func(serial, device string) (string, error) `json:"-"`
	// FindDisks has the kernel look for disks of which it gets no notice; nil where it gets one.
	FindDisks func() error `json:"-"`
}

// Attachment is a mount, open and attached nowhere, for a directory of the box, which is made where
// it is missing.
type Attachment struct {
	Mount int
	Path  string
}

// Schema is the value of Spec.Schema.
const Schema = "a3s-box/box-spec/v1"

// Rootfs describes the box's root, lowest layer first.
type Rootfs struct {
	Layers   []Layer `json:"layers"`
	Changes  Changes `json:"changes"`
	Readonly bool    `json:"readonly"`
}

// Layer is a read-only EROFS disk.
type Layer struct {
	Serial string `json:"serial"`
	// Verity is the hash tree that every block of the disk is checked against; nil in a plain
	// guest, which trusts its host.
	Verity *Verity `json:"-"`
}

// Verity is a dm-verity tree, which begins where the EROFS image of Bytes bytes ends: format 1,
// SHA-256, blocks of 4096 bytes.
type Verity struct {
	Bytes      int64
	Root, Salt [32]byte
	// Device names the device that checks the blocks, and that ends with the mount of the layer;
	// empty where it stays until the guest ends, and has the name of the disk.
	Device string
}

// Kinds of Changes. No box spec of a host has the last one.
const (
	ChangesDisk      = "disk"
	ChangesMemory    = "memory"
	ChangesEncrypted = "encrypted-disk"
)

// Changes is where the box writes: an ext4 disk, memory, or a disk that is encrypted and
// authenticated under a key of this guest.
type Changes struct {
	Kind   string  `json:"kind"`
	Serial *string `json:"serial"`
	// Bytes is the size of the file system in memory or on an encrypted disk; nil is what there is
	// room for.
	Bytes *int64 `json:"-"`
}

// Process is a process of the box.
type Process struct {
	Args     []string `json:"args"`
	Env      []string `json:"env"`
	Cwd      string   `json:"cwd"`
	User     string   `json:"user"`
	Terminal bool     `json:"terminal"`
	Size     *Size    `json:"size"`
	Stdin    bool     `json:"stdin"`
}

// Size is a terminal's, in character cells.
type Size struct {
	Rows    int64 `json:"rows"`
	Columns int64 `json:"columns"`
}

// Kinds of Mount.
const (
	MountShare = "virtiofs"
	MountDisk  = "disk"
	MountImage = "image"
)

// Mount is a virtio-fs share inside the box, or the ext4 disk of a volume.
type Mount struct {
	Kind string `json:"kind"`
	// Tag and File belong to a share, Serial and Subpath to a disk, Layers and Subpath to an image.
	// A disk may have several mounts.
	Tag         *string  `json:"tag"`
	File        *string  `json:"file"`
	Serial      *string  `json:"serial"`
	Layers      *[]Layer `json:"layers"`
	Subpath     *string  `json:"subpath"`
	Destination string   `json:"destination"`
	Readonly    bool     `json:"readonly"`
	// Fill has the agent copy into the volume what the image has at the destination: into a share,
	// which is emptied before, and into a disk on which no box has files; nil is false.
	Fill *bool `json:"fill"`
	// Sealed: only the guest can read the disk, and notices what its host changes.
	Sealed bool `json:"-"`
}

// Disk is a disk of a volume.
type Disk struct {
	Serial string
	// Readonly: no mount of it may be written to, and neither may the disk.
	Readonly bool
	// Sealed: see Mount.
	Sealed bool
}

// Fills says whether the share is a volume that the agent fills.
func (m *Mount) Fills() bool { return m.Fill != nil && *m.Fill }

// Kinds of Network.
const (
	NetworkNone = "none"
	NetworkNIC  = "nic"
)

// Network is the box's one network device, or none: then only Kind is set.
type Network struct {
	Kind         string    `json:"kind"`
	MAC          *string   `json:"mac"`
	MTU          *int64    `json:"mtu"`
	Address      *string   `json:"address"`
	PrefixLength *int64    `json:"prefixLength"`
	Gateway      *string   `json:"gateway"`
	Nameservers  *[]string `json:"nameservers"`
	Search       *[]string `json:"search"`
	// Options are of the resolver; nil is none.
	Options *[]string `json:"options"`
	// IPv6 belongs to pods; nil is none. A box has that of its cards, see Networks.
	IPv6 *IPv6 `json:"ipv6"`
}

// Host is a name of /etc/hosts, and its address.
type Host struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Seccomp profiles.
const (
	SeccompDefault    = "default"
	SeccompUnconfined = "unconfined"
	// SeccompProfile is the profile of Confinement.SeccompProfile.
	SeccompProfile = "profile"
)

// Policies of the groups that the image gives a user, as Kubernetes has them.
const (
	// GroupsMerge gives a user those that list it, whatever group is named beside it.
	GroupsMerge = "merge"
	// GroupsStrict gives a user none but its primary group.
	GroupsStrict = "strict"
)

// Confinement has the privileges of every process of the box.
type Confinement struct {
	Capabilities    []string `json:"capabilities"`
	NoNewPrivileges bool     `json:"noNewPrivileges"`
	Seccomp         string   `json:"seccomp"`
	MaskedPaths     []string `json:"maskedPaths"`
	ReadonlyPaths   []string `json:"readonlyPaths"`
	// SeccompProfile belongs to the profile of that name, and to no other.
	SeccompProfile *seccomp.Profile `json:"seccompProfile"`
	// Groups are supplementary groups of every process, by the image's /etc/group; nil is none.
	Groups *[]string `json:"groups"`
	// GroupsPolicy says which groups a user has by the image's /etc/group; nil is as in Docker:
	// those that list it, unless a group is named beside it.
	GroupsPolicy *string `json:"groupsPolicy"`
	// OOMScore is the out-of-memory score that the kernel adds; nil is 0.
	OOMScore *int64 `json:"oomScoreAdj"`
	// Devices are files below the guest's /dev; nil is none.
	Devices *[]string `json:"devices"`
	// DeviceRules are devices that the box may open besides the usual ones, by nodes that it makes
	// in its /dev; nil is none.
	DeviceRules *[]DeviceRule `json:"deviceRules"`
	// Privileged gives the box all devices of the guest, and lets it write to all files of the
	// kernel; nil is false.
	Privileged *bool `json:"privileged"`
}

// Kinds of devices.
const (
	DeviceAll   = "all"
	DeviceChar  = "char"
	DeviceBlock = "block"
)

// DeviceRule permits access to devices: letters of rwm, once each. A nil number is any.
type DeviceRule struct {
	Kind   string `json:"kind"`
	Major  *int64 `json:"major"`
	Minor  *int64 `json:"minor"`
	Access string `json:"access"`
}

// OpensNodes says whether the box may open devices by nodes that it makes itself.
func (c *Confinement) OpensNodes() bool {
	return c.IsPrivileged() || c.DeviceRules != nil && len(*c.DeviceRules) > 0
}

// IsPrivileged says whether the box has all of its guest.
func (c *Confinement) IsPrivileged() bool { return c.Privileged != nil && *c.Privileged }

// Sysctl is a setting by its path below /proc/sys.
type Sysctl struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}
