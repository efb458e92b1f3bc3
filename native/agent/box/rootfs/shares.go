package rootfs

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/uevent"
)

// mountShare mounts a share, and keeps it where the box may write to it.
func mountShare(r rootdir.Root, m spec.Mount, own string, kept Shares) error {
	if err := awaitShare(*m.Tag); err != nil {
		return err
	}
	attributes := linux.Nodev
	if m.Readonly {
		attributes |= linux.Readonly
	}
	mount, err := linux.NewMount("virtiofs", attributes, linux.Option{Key: "source", Value: *m.Tag})
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	if m.File != nil {
		return mountPart(r, mount, m, own, kept)
	}
	target, err := r.Directory(m.Destination)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := rootdir.RefuseKernelFiles(target); err != nil {
		return err
	}
	if m.Fills() {
		if err := fillVolume(r, mount, m.Destination); err != nil {
			return err
		}
	}
	if err := linux.Attach(mount, target); err != nil {
		return err
	}
	return kept.keep(m, mount)
}

// mountPart mounts one file or directory of a share. Only an attached mount can be cloned, so the
// share is attached out of the box's sight.
func mountPart(r rootdir.Root, share int, m spec.Mount, own string, kept Shares) error {
	if err := rootdir.AttachAt(share, own); err != nil {
		return err
	}
	part, err := linux.OpenAt(share, *m.File, linux.OPath, 0, linux.Beneath|linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(part)
	mount, err := linux.CloneMount(part, "", false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	target, err := partTarget(r, part, m.Destination)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := linux.Attach(mount, target); err != nil {
		return err
	}
	return kept.keep(m, mount)
}

// partTarget opens what a part of a share is mounted on: a file or a directory, as the part is.
func partTarget(r rootdir.Root, part int, destination string) (int, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(part, &stat); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return r.File(destination)
	}
	target, err := r.Directory(destination)
	if err != nil {
		return -1, err
	}
	if err := rootdir.RefuseKernelFiles(target); err != nil {
		return -1, errors.Join(err, syscall.Close(target))
	}
	return target, nil
}

// awaitShare waits until a share of that tag is attached.
func awaitShare(tag string) error {
	const list = "/sys/fs/virtiofs"
	_, err := uevent.Wait(layers.AttachDeadline, func() (struct{}, bool, error) {
		entries, err := os.ReadDir(list)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return struct{}{}, false, err
		}
		for _, entry := range entries {
			content, err := os.ReadFile(list + "/" + entry.Name() + "/tag")
			if err == nil && strings.TrimSpace(string(content)) == tag {
				return struct{}{}, true, nil
			}
		}
		return struct{}{}, false, nil
	})
	return err
}
