package stage

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// finishRoot adds to the box's root what depends on its pid namespace, which begins with this process.
func finishRoot(order *Order) error {
	if err := mountProc(); err != nil {
		return err
	}
	if order.ReadonlyRoot {
		if err := makeReadonly("/", false); err != nil {
			return err
		}
	}
	for _, path := range order.ReadonlyPaths {
		if err := makeReadonly(path, true); err != nil {
			return err
		}
	}
	for _, path := range order.MaskedPaths {
		if err := mask(path); err != nil {
			return err
		}
	}
	return nil
}

func mountProc() error {
	mount, err := linux.NewMount("proc", linux.Nosuid|linux.Nodev|linux.Noexec, linux.Option{Key: "source", Value: "proc"})
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	target, err := linux.OpenAt(-1, "/proc", linux.OPath|syscall.O_DIRECTORY, 0, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// openPresent opens a path of the image; -1 when there is nothing to hide or to protect.
func openPresent(path string) (int, error) {
	fd, err := linux.OpenAt(-1, path, linux.OPath, 0, linux.NoMagicLinks)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return -1, nil
	}
	return fd, err
}

// makeReadonly changes the mount at path; one that is not a mount point becomes one.
func makeReadonly(path string, bind bool) error {
	target, err := openPresent(path)
	if err != nil || target < 0 {
		return err
	}
	defer syscall.Close(target)
	if !bind {
		return linux.SetAttributes(target, linux.Readonly, false)
	}
	mount, err := linux.CloneMount(target, "", true)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	if err := linux.SetAttributes(mount, linux.Readonly, true); err != nil {
		return err
	}
	return linux.Attach(mount, target)
}

// mask lays an empty directory or /dev/null over a path.
func mask(path string) error {
	target, err := openPresent(path)
	if err != nil || target < 0 {
		return err
	}
	defer syscall.Close(target)
	var stat syscall.Stat_t
	if err := syscall.Fstat(target, &stat); err != nil {
		return err
	}
	var mount int
	if stat.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		mount, err = linux.NewMount("tmpfs", linux.Readonly|linux.Nosuid|linux.Nodev|linux.Noexec,
			linux.Option{Key: "source", Value: "tmpfs"}, linux.Option{Key: "nr_inodes", Value: "1"})
	} else {
		mount, err = linux.CloneMount(-1, "/dev/null", false)
	}
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return linux.Attach(mount, target)
}
