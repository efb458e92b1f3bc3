package spec

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tmpfs is a filesystem in the guest's memory; policies/src/launch-spec/tmpfs.ts describes every
// field.
type Tmpfs struct {
	Destination string `json:"destination"`
	Readonly    bool   `json:"readonly"`
	// SizeBytes is 0 where nothing but the box's memory limit bounds it.
	SizeBytes int64 `json:"sizeBytes"`
	// Mode is nil for that of the directory that the image has there, else 01777.
	Mode *int64 `json:"mode"`
	UID  *int64 `json:"uid"`
	GID  *int64 `json:"gid"`
	// Inodes is 0 for no limit, and nil for the kernel's own.
	Inodes *int64   `json:"inodes"`
	Flags  []string `json:"flags"`
}

// Flags of a Tmpfs, sorted. Each takes back a default, or adds to them.
const (
	FlagDirsync     = "dirsync"
	FlagExec        = "exec"
	FlagNoatime     = "noatime"
	FlagNodiratime  = "nodiratime"
	FlagStrictatime = "strictatime"
	FlagSuid        = "suid"
	FlagSync        = "sync"
)

var tmpfsFlags = []string{FlagDirsync, FlagExec, FlagNoatime, FlagNodiratime, FlagStrictatime, FlagSuid, FlagSync}

const (
	maxTmpfs = 64
	maxMode  = 0o7777
	// maxID leaves out the id of 32 bits that means none.
	maxID = 1<<32 - 2
)

// CheckTmpfs checks filesystems of a document whose field has this name.
func CheckTmpfs(list *[]Tmpfs, field string) error {
	c := &checks{}
	c.tmpfs(list, field)
	return c.err
}

// CheckShm checks the size of /dev/shm in a document whose boxes all have it.
func CheckShm(bytes *int64) error {
	c := &checks{}
	c.shm(bytes)
	return c.err
}

func (c *checks) shm(bytes *int64) {
	c.that(bytes == nil || *bytes >= 1, "shmBytes", "must be at least 1")
}

func (c *checks) tmpfs(list *[]Tmpfs, field string) {
	if list == nil {
		return
	}
	c.that(len(*list) <= maxTmpfs, field, "has too many entries")
	for index, t := range *list {
		own := field + "[" + strconv.Itoa(index) + "]."
		c.that(isAbsolute(t.Destination), own+"destination", "is not an absolute path")
		destination := path.Clean(t.Destination)
		c.that(destination != "/", own+"destination", "must not be the root")
		c.that(!isKernels(destination), own+"destination", "must not be in /proc, /sys or /dev, but for /dev/shm")
		c.that(t.SizeBytes >= 0, own+"sizeBytes", "must be at least 0")
		c.that(t.Mode == nil || *t.Mode >= 0 && *t.Mode <= maxMode, own+"mode", "must be from 0 to 4095")
		c.that(t.UID == nil || *t.UID >= 0 && *t.UID <= maxID, own+"uid", "is not an id")
		c.that(t.GID == nil || *t.GID >= 0 && *t.GID <= maxID, own+"gid", "is not an id")
		c.that(t.Inodes == nil || *t.Inodes >= 0, own+"inodes", "must be at least 0")
		c.tmpfsFlags(t.Flags, own+"flags")
	}
}

func (c *checks) tmpfsFlags(flags []string, field string) {
	for index, flag := range flags {
		c.that(slices.Contains(tmpfsFlags, flag), field, "holds what is not a flag")
		c.that(index == 0 || flags[index-1] < flag, field, "must be sorted, each once")
	}
	c.that(!slices.Contains(flags, FlagNoatime) || !slices.Contains(flags, FlagStrictatime), field, "must not have noatime beside strictatime")
}

// isKernels says whether a clean path is in what the agent mounts in every box. A tmpfs may replace
// /dev/shm.
func isKernels(destination string) bool {
	in := func(directory string) bool {
		return destination == directory || strings.HasPrefix(destination, directory+"/")
	}
	return in("/proc") || in("/sys") || in("/dev") && !in("/dev/shm")
}
