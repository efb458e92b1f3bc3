package rootfs

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// FullError is a volume without room for what the image has at its place.
type FullError struct{ Cause error }

// Error is the cause.
func (e *FullError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *FullError) Unwrap() error { return e.Cause }

// fillError tells a volume without room from other errors.
func fillError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &FullError{err}
	}
	return err
}

// fillVolume empties a new volume, since a fill that was interrupted may have left files in it, and
// copies into it what the image has at a destination: the directory's content, and its owner, mode,
// times and extended attributes.
//
// As with Docker, that is the image's own content at the destination. Mounts at the destination,
// below it or above it do not count: neither the kernel's filesystems nor other shares are copied.
// Where the image has no such directory, the volume stays empty.
func fillVolume(r rootdir.Root, volume int, destination string) error {
	target, err := tree.OpenWritable(volume, ".")
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := tree.Empty(target, tree.Here); err != nil {
		return err
	}
	image, err := r.WithoutMounts()
	if err != nil {
		return err
	}
	defer syscall.Close(image.FD)
	source, err := linux.OpenAt(image.FD, destination, syscall.O_RDONLY|syscall.O_DIRECTORY, 0, linux.InRoot|linux.NoMagicLinks)
	switch {
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return err
	default:
		err := tree.Copy(source, target)
		syscall.Close(source)
		if err != nil {
			return fillError(err)
		}
	}
	err = linux.SyncFilesystem(target)
	if errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return fillError(err)
}
