package rootdir

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Harmless are the attributes of mounts from which nothing is executed and no device is opened.
const Harmless = linux.Nosuid | linux.Nodev | linux.Noexec

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
	return Attach(mount, path)
}

// Attach attaches a mount to a directory of the agent's own that is there.
func Attach(mount int, path string) error {
	target, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// AttachFile mounts over a file of the box, made empty if missing.
func AttachFile(r Root, mount int, path string) error {
	target, err := r.File(path)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// ClonePrivate clones a mount. The clone of a shared one would be shared too.
func ClonePrivate(fd int) (int, error) {
	mount, err := linux.CloneMount(fd, "", false)
	if err != nil {
		return -1, err
	}
	if err := linux.MakePrivate(mount); err != nil {
		return -1, errors.Join(err, syscall.Close(mount))
	}
	return mount, nil
}

// MakePrivate keeps the mounts of the thread's namespace from spreading to others, and those of
// others from spreading to it.
func MakePrivate() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return &linux.Error{Op: "make private", On: "/", Errno: err.(syscall.Errno)}
	}
	return nil
}

// WithoutMounts returns a read-only view of the root in which nothing is mounted.
func (r Root) WithoutMounts() (Root, error) {
	mount, err := linux.CloneMount(r.FD, "", false)
	if err != nil {
		return Root{-1}, err
	}
	if err := linux.SetAttributes(mount, linux.Readonly|Harmless, false); err != nil {
		syscall.Close(mount)
		return Root{-1}, err
	}
	return Root{mount}, nil
}
