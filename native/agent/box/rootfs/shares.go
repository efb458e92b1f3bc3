package rootfs

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/uevent"
)

// mountShare mounts a share, and keeps it where the box may write to it.
func mountShare(r Root, m spec.Mount, own string, kept Shares) error {
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
		return mountSharedFile(r, mount, m, own, kept)
	}
	target, err := r.directory(m.Destination)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := refuseKernelFiles(target); err != nil {
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

// errKernelFiles is a place at which a share would hide files of the kernel from the agent and the
// box.
var errKernelFiles = errors.New("it leads into /proc or /sys")

// refuseKernelFiles refuses a mount point in proc or sysfs. The spec has no such destination, but a
// link of the image, or of a volume that another box writes to, may lead there.
func refuseKernelFiles(fd int) error {
	const proc, sysfs = 0x9fa0, 0x62656572
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &stat); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if stat.Type == proc || stat.Type == sysfs {
		return errKernelFiles
	}
	return nil
}

// mountSharedFile mounts one file of a share. Only an attached mount can be cloned, so the share is
// attached out of the box's sight.
func mountSharedFile(r Root, share int, m spec.Mount, own string, kept Shares) error {
	if err := AttachAt(share, own); err != nil {
		return err
	}
	file, err := linux.OpenAt(share, *m.File, linux.OPath, 0, linux.Beneath|linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(file)
	mount, err := linux.CloneMount(file, "", false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	if err := attachFile(r, mount, m.Destination); err != nil {
		return err
	}
	return kept.keep(m, mount)
}

// awaitShare waits until a share of that tag is plugged in.
func awaitShare(tag string) error {
	const list = "/sys/fs/virtiofs"
	_, err := uevent.Wait(PlugDeadline, func() (struct{}, bool, error) {
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
