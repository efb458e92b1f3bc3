package rootfs

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// systemMount is a filesystem of the kernel that every box has.
type systemMount struct {
	path       string
	kind       string
	attributes uint64
	options    []linux.Option
}

// ownMounts are in the order in which they are mounted. They do not have /proc, which main's stage
// mounts. devpts is not nodev, or no terminal could be opened; no process can make nodes in it.
var ownMounts = []systemMount{
	{"/dev", "tmpfs", linux.Nosuid | linux.Nodev, []linux.Option{{Key: "mode", Value: "0755"}, {Key: "size", Value: "65536k"}}},
	{"/dev/pts", "devpts", linux.Nosuid | linux.Noexec, []linux.Option{
		{Key: "newinstance"}, {Key: "ptmxmode", Value: "0666"}, {Key: "mode", Value: "0620"}, {Key: "gid", Value: "5"},
	}},
	{shmPath, "tmpfs", rootdir.Harmless, []linux.Option{{Key: "mode", Value: "1777"}, {Key: "size", Value: "65536k"}}},
	{"/dev/mqueue", "mqueue", rootdir.Harmless, nil},
}

// networkMounts show the network namespace of the thread that mounts them.
var networkMounts = []systemMount{
	{"/sys", "sysfs", rootdir.Harmless | linux.Readonly, nil},
	{"/sys/fs/cgroup", "cgroup2", rootdir.Harmless | linux.Readonly, nil},
}

// of returns the mounts for this protection: a privileged box may write to /sys, and one with rules
// for devices, as it, open the nodes that it makes in /dev.
func (p Protection) of(mounts []systemMount) []systemMount {
	if !p.OpensNodes {
		return mounts
	}
	mounts = slices.Clone(mounts)
	for index := range mounts {
		if p.Privileged {
			mounts[index].attributes &^= linux.Readonly
		}
		if mounts[index].path == "/dev" {
			mounts[index].attributes &^= linux.Nodev
		}
	}
	return mounts
}

// MountSystem makes the box's /dev and /proc, where they wait for its root. proc is a mount of its
// /proc. What was made in part is returned too.
func MountSystem(t *Texts, proc int, p Protection) (rootdir.Root, error) {
	r, err := makeRoot(systemDir)
	if err != nil {
		return r, err
	}
	if err := mountAll(r, p.of(ownMounts)); err != nil {
		return r, err
	}
	if err := makeDevices(r); err != nil {
		return r, err
	}
	if err := giveDevices(r, p); err != nil {
		return r, err
	}
	if err := attachTo(r, proc, "/proc"); err != nil {
		return r, err
	}
	// First, so that it is as read-only as what is around it.
	if err := t.bootID.cover(r, bootIDPath, rootdir.Harmless|linux.Readonly); err != nil {
		return r, err
	}
	return r, p.below("/dev", "/proc").apply(r)
}

// MountNetworkSystem makes a /sys that shows the network namespace of this thread. What was made in
// part is returned too.
func MountNetworkSystem(t *Texts, p Protection) (rootdir.Root, error) {
	r, err := makeRoot(networksDir)
	if err != nil {
		return r, err
	}
	if err := mountAll(r, p.of(networkMounts)); err != nil {
		return r, err
	}
	// A VM without firmware tables has no id.
	if _, _, err := r.Lookup(machineIDPath); err == nil {
		if err := t.machineID.cover(r, machineIDPath, rootdir.Harmless|linux.Readonly); err != nil {
			return r, err
		}
	} else if !errors.Is(err, syscall.ENOENT) {
		return r, err
	}
	return r, p.below("/sys").apply(r)
}

// makeRoot makes a new directory of this thread's mount namespace, in another one.
func makeRoot(parent string) (rootdir.Root, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return rootdir.Root{FD: -1}, err
	}
	path, err := os.MkdirTemp(parent, "")
	if err != nil {
		return rootdir.Root{FD: -1}, err
	}
	return rootdir.OpenDirectory(path)
}

func mountAll(r rootdir.Root, mounts []systemMount) error {
	for _, m := range mounts {
		if err := mountIn(r, m); err != nil {
			return layers.NewDeviceError("mount", m.path, err)
		}
	}
	return nil
}

func mountIn(r rootdir.Root, m systemMount) error {
	mount, err := linux.NewMount(m.kind, m.attributes, append(m.options, linux.Option{Key: "source", Value: m.kind})...)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachTo(r, mount, m.path)
}

// attachTo insists on an ordinary directory: a link of the image at /sys would lead the mount
// astray.
func attachTo(r rootdir.Root, mount int, path string) error {
	if err := r.PlainDirectory(path); err != nil {
		return err
	}
	target, err := r.Open(path, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// adopt moves a mount, with all that is mounted below, from another root of this mount namespace to
// the same path.
func adopt(r rootdir.Root, other rootdir.Root, path string) error {
	mount, err := other.Open(path, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	if err := attachTo(r, mount, path); err != nil {
		return layers.NewDeviceError("mount", path, err)
	}
	return nil
}
