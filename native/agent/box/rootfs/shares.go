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

func mountShare(r Root, m spec.Mount, own string) error {
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
		return mountSharedFile(r, mount, *m.File, m.Destination, own)
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
	return linux.Attach(mount, target)
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
func mountSharedFile(r Root, share int, name, destination, own string) error {
	if err := AttachAt(share, own); err != nil {
		return err
	}
	file, err := linux.OpenAt(share, name, linux.OPath, 0, linux.Beneath|linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(file)
	mount, err := linux.CloneMount(file, "", false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachFile(r, mount, destination)
}

// awaitShare waits until a share of that tag is attached.
func awaitShare(tag string) error {
	const list = "/sys/fs/virtiofs"
	_, err := uevent.Wait(AttachDeadline, func() (struct{}, bool, error) {
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
