package rootfs

import (
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// MountAt mounts a new filesystem at a directory of the agent's own, made if missing.
func MountAt(kind, path string, attributes uint64, options ...linux.Option) error {
	mount, err := linux.NewMount(kind, attributes, append(options, linux.Option{Key: "source", Value: kind})...)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return AttachAt(mount, path)
}

// AttachAt attaches a mount to a directory of the agent's own, made if missing.
func AttachAt(mount int, path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return attach(mount, path)
}

// attach attaches a mount to a directory of the agent's own that is there.
func attach(mount int, path string) error {
	target, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}
