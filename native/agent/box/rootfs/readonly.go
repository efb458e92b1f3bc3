package rootfs

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// makeReadonlyRoot makes the root read-only, and nothing that is mounted in it. The directories of
// volumes stay writable, as Docker's volumes do: each becomes a mount of its own first.
func makeReadonlyRoot(r rootdir.Root, volumes *[]string) error {
	if volumes != nil {
		for _, name := range *volumes {
			if err := makeMount(r, name); err != nil {
				return layers.NewDeviceError("keep writable", name, err)
			}
		}
	}
	return linux.SetAttributes(r.FD, linux.Readonly, false)
}

// makeMount mounts a directory of the root, with what is mounted below it, on itself. The root
// itself, and what is in a filesystem of the kernel's, stays as it is.
func makeMount(r rootdir.Root, name string) error {
	target, err := r.Directory(name)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	isRoot, err := sameFile(target, r.FD)
	if err != nil || isRoot {
		return err
	}
	if err := rootdir.RefuseKernelFiles(target); err != nil {
		if errors.Is(err, rootdir.ErrKernelFiles) {
			return nil
		}
		return err
	}
	mount, err := linux.CloneMount(target, "", true)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return linux.Attach(mount, target)
}

func sameFile(a, b int) (bool, error) {
	var first, second syscall.Stat_t
	if err := errors.Join(syscall.Fstat(a, &first), syscall.Fstat(b, &second)); err != nil {
		return false, err
	}
	return first.Dev == second.Dev && first.Ino == second.Ino, nil
}
