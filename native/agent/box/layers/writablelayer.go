package layers

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/poll"
)

const DiskFlags = syscall.MS_NODEV | syscall.MS_NOATIME

// DiskOptions keep the kernel from reading bitmaps ahead, and from zeroing tables, which are zero
// on a new disk. Its thread for that would still run when the copy of a guest begins.
const DiskOptions = "errors=remount-ro,no_prefetch_block_bitmaps,noinit_itable"

// UnmountChanges unmounts what a box writes to.
func UnmountChanges(dir string) error {
	if err := syscall.Unmount(dir, 0); err != nil {
		return &linux.Error{Op: "unmount", On: dir, Errno: err.(syscall.Errno)}
	}
	return nil
}

// MountChanges mounts what a box writes to, where the agent can unmount it again. memory is what
// the box may take of it.
func MountChanges(dir string, changes spec.Changes, disks map[string]string, memory int64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var err error
	switch changes.Kind {
	case spec.ChangesMemory:
		err = mountMemory(dir, changes.Bytes, memory)
	case spec.ChangesEncrypted:
		err = mountEncrypted(dir, disks[*changes.Serial], changes.Bytes)
	default:
		err = syscall.Mount(disks[*changes.Serial], dir, "ext4", DiskFlags, DiskOptions)
	}
	if err != nil {
		return &DeviceError{"changes on", changes.Kind, err}
	}
	for _, name := range []string{UpperName, WorkName} {
		if err := os.Mkdir(dir+name, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// mountMemory gives the tmpfs half of the memory that the box may take, and leaves the other half
// to its processes: a program can handle a full disk, and is killed when memory has run out. A
// launch spec that asks for a size asks for at most half of what it gives the box.
func mountMemory(dir string, asked *int64, memory int64) error {
	bytes := memory / 2
	if asked != nil {
		var err error
		if bytes, err = sizeWithin(asked, memory); err != nil {
			return err
		}
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", DiskFlags, "mode=755,size="+strconv.FormatInt(bytes, 10))
}

// SizeError is a writable layer for which there is not enough room.
type SizeError struct{ Asked, Room int64 }

func (e *SizeError) Error() string {
	return "there is room for " + strconv.FormatInt(e.Room, 10) + " bytes, and it has to have " + strconv.FormatInt(e.Asked, 10)
}

// sizeWithin is how large a file system is made: as large as was asked for, or as there is room
// for.
func sizeWithin(asked *int64, room int64) (int64, error) {
	if asked == nil {
		return room, nil
	}
	if *asked > room {
		return 0, &SizeError{*asked, room}
	}
	return *asked, nil
}

// remountDeadline bounds the wait for the last writer of a disk.
const remountDeadline = 10 * time.Second

// CleanChanges makes the disk read-only, which is as clean as unmounted and does not wait for the
// overlay to be gone.
func CleanChanges(dir string) error { return CleanDisk(dir, "the changes") }

func CleanDisk(dir, what string) error {
	return poll.Until(remountDeadline, "power off", what, func() (bool, error) {
		err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		if err == syscall.EBUSY {
			return false, nil
		}
		return true, err
	})
}
