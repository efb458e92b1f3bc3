package box

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/poll"
)

const diskFlags = syscall.MS_NODEV | syscall.MS_NOATIME

// diskOptions keep the kernel from reading bitmaps ahead and from zeroing tables, which are zero on a new disk: its thread for that would
// still be at it, and end, when the copy of a guest begins.
const diskOptions = "errors=remount-ro,no_prefetch_block_bitmaps,noinit_itable"

func unmountChanges() error {
	if err := syscall.Unmount(changesDir, 0); err != nil {
		return &linux.Error{Op: "unmount", On: changesDir, Errno: err.(syscall.Errno)}
	}
	return nil
}

// mountChanges mounts what the box writes to, where the agent can unmount it again. memory is what the box may take of it.
func mountChanges(changes Changes, disks map[string]string, memory int64) error {
	if err := os.MkdirAll(changesDir, 0o755); err != nil {
		return err
	}
	var err error
	switch changes.Kind {
	case ChangesMemory:
		err = mountMemory(memory)
	case ChangesEncrypted:
		err = mountEncrypted(disks[*changes.Serial])
	default:
		err = syscall.Mount(disks[*changes.Serial], changesDir, "ext4", diskFlags, diskOptions)
	}
	if err != nil {
		return &deviceError{"changes on", changes.Kind, err}
	}
	for _, dir := range []string{changesDir + upperName, changesDir + workName} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// mountMemory leaves a box half of the memory that it may take for its processes: a disk that is full is an error that a program can
// handle, memory that has run out is its end.
func mountMemory(memory int64) error {
	return syscall.Mount("tmpfs", changesDir, "tmpfs", diskFlags, "mode=755,size="+strconv.FormatInt(memory/2, 10))
}

// remountDeadline bounds the wait for the last writer of the changes.
const remountDeadline = 10 * time.Second

// cleanChanges makes the disk read-only, which is as clean as unmounted and does not wait for the overlay to be gone.
func cleanChanges() error {
	return poll.Until(remountDeadline, "power off", "the changes", func() (bool, error) {
		err := syscall.Mount("", changesDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		if err == syscall.EBUSY {
			return false, nil
		}
		return true, err
	})
}
