package rootfs

import (
	"errors"
	"os"
	"path"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// mountTmpfs mounts a filesystem in memory, over a directory that is made if missing. Like
// Docker's, it has the permissions of the directory that was there, unless the spec has others, and
// 01777 where there was none.
func mountTmpfs(r rootdir.Root, t spec.Tmpfs) error {
	existing, err := openPresent(r, t.Destination)
	if err != nil {
		return err
	}
	if existing >= 0 {
		defer syscall.Close(existing)
	}
	mode, err := tmpfsMode(t, existing)
	if err != nil {
		return err
	}
	target, err := r.Directory(t.Destination)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := rootdir.RefuseKernelFiles(target); err != nil {
		return err
	}
	if existing < 0 && t.Mode == nil {
		// The directory stays in the writable layer, and the next start finds it there.
		if err := syscall.Chmod(tree.ByDescriptor(target), uint32(mode)); err != nil {
			return tree.StepError("chmod", err)
		}
	}
	mount, err := linux.NewMount("tmpfs", tmpfsAttributes(t), tmpfsOptions(t, mode)...)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return linux.Attach(mount, target)
}

func tmpfsMode(t spec.Tmpfs, existing int) (int64, error) {
	switch {
	case t.Mode != nil:
		return *t.Mode, nil
	case existing < 0:
		return 0o1777, nil
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(existing, &stat); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	return int64(stat.Mode & 0o7777), nil
}

// tmpfsAttributes are the attributes of the mount. No flag takes back nodev: a box has devices in
// its /dev alone.
func tmpfsAttributes(t spec.Tmpfs) uint64 {
	attributes := rootdir.Harmless
	if t.Readonly {
		attributes |= linux.Readonly
	}
	for _, flag := range t.Flags {
		switch flag {
		case spec.FlagExec:
			attributes &^= linux.Noexec
		case spec.FlagSuid:
			attributes &^= linux.Nosuid
		case spec.FlagNoatime:
			attributes |= linux.Noatime
		case spec.FlagNodiratime:
			attributes |= linux.Nodiratime
		case spec.FlagStrictatime:
			attributes |= linux.Strictatime
		}
	}
	return attributes
}

// tmpfsOptions are the options of the filesystem.
func tmpfsOptions(t spec.Tmpfs, mode int64) []linux.Option {
	options := []linux.Option{
		{Key: "source", Value: "tmpfs"},
		{Key: "mode", Value: strconv.FormatInt(mode, 8)},
		{Key: "size", Value: strconv.FormatInt(t.SizeBytes, 10)},
	}
	for _, number := range []struct {
		key   string
		value *int64
	}{{"uid", t.UID}, {"gid", t.GID}, {"nr_inodes", t.Inodes}} {
		if number.value != nil {
			options = append(options, linux.Option{Key: number.key, Value: strconv.FormatInt(*number.value, 10)})
		}
	}
	for _, flag := range t.Flags {
		if flag == spec.FlagSync || flag == spec.FlagDirsync {
			options = append(options, linux.Option{Key: flag})
		}
	}
	return options
}

// shmPath is where programs share memory by name.
const shmPath = "/dev/shm"

// changeShm does what a spec has for /dev/shm. It was mounted before there was a spec.
func changeShm(r rootdir.Root, bytes int64) error {
	if bytes == 0 {
		return removeShm(r)
	}
	return resizeShm(r, bytes)
}

// removeShm leaves nothing at /dev/shm, as Docker does where the IPC mode is none.
func removeShm(r rootdir.Root) error {
	mount, err := r.Open(shmPath, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	err = errors.Join(os.NewSyscallError("unmount", syscall.Unmount(tree.ByDescriptor(mount), syscall.MNT_DETACH)), syscall.Close(mount))
	if err != nil {
		return err
	}
	parent, err := r.Open(path.Dir(shmPath), syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(parent)
	return os.NewSyscallError("rmdir", syscall.Rmdir(path.Join(tree.ByDescriptor(parent), path.Base(shmPath))))
}

// resizeShm gives /dev/shm a size of the spec's.
func resizeShm(r rootdir.Root, bytes int64) error {
	const flags = syscall.MS_REMOUNT | syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	fd, err := r.Open(shmPath, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	err = syscall.Mount("", tree.ByDescriptor(fd), "", flags, "size="+strconv.FormatInt(bytes, 10))
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return &linux.Error{Op: "remount", On: shmPath, Errno: errno}
	}
	return err
}
