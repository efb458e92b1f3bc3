package box

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// CwdError is a working directory that cannot be one.
type CwdError struct{ message string }

func (e *CwdError) Error() string { return e.message }

// buildRoot assembles the box's root at rootDir of this thread's mount namespace. Below it nothing is written but what Docker
// writes too: empty mount points, and the main process's working directory.
func buildRoot(spec *Spec, disks map[string]string) error {
	if err := mountAt("tmpfs", boxDir, 0, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	layers, err := mountLayers(spec.Rootfs.Layers, disks)
	if err != nil {
		return err
	}
	overlay, err := mountOverlay(layers)
	if err != nil {
		return err
	}
	defer syscall.Close(overlay)
	if err := attachAt(overlay, rootDir); err != nil {
		return err
	}
	r := root{overlay}
	if err := mountSystem(r); err != nil {
		return err
	}
	if err := makeDevices(r, spec.Process.Terminal); err != nil {
		return err
	}
	if err := mountEtc(r, spec); err != nil {
		return err
	}
	if err := mountShares(r, spec.Mounts); err != nil {
		return err
	}
	return makeCwd(r, spec.Process.Cwd)
}

func makeCwd(r root, cwd string) error {
	fd, err := r.directory(cwd)
	if errors.Is(err, errNotDirectory) || errors.Is(err, syscall.ENOTDIR) {
		return &CwdError{"cannot mkdir: " + cwd + " is not a directory"}
	}
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

func mountAt(kind, path string, attributes uint64, options ...linux.Option) error {
	mount, err := linux.NewMount(kind, attributes, append(options, linux.Option{Key: "source", Value: kind})...)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachAt(mount, path)
}

// attachAt attaches a mount to a directory of the agent's own, made if missing.
func attachAt(mount int, path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	target, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// enterRoot makes the root that was built the root of the mount namespace.
//
// pivot_root cannot replace an initramfs, so the new root is moved on top of it, as switch_root does, and everything else
// is unmounted. A process that breaks out of a chroot finds itself at the new root again: from there `..` leads to
// the place that it covers. What lies below is an empty, read-only directory.
func enterRoot() error {
	below, err := linux.OpenAt(-1, "/", linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(below)
	others, err := topMounts("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	if err := linux.SetAttributes(below, linux.Readonly, false); err != nil {
		return err
	}
	if err := syscall.Chdir(rootDir); err != nil {
		return err
	}
	if err := syscall.Mount(rootDir, "/", "", syscall.MS_MOVE, ""); err != nil {
		return &linux.Error{Op: "move", On: rootDir, Errno: err.(syscall.Errno)}
	}
	// By path "/" is the new root now; the old one is reached through its descriptor.
	if err := syscall.Fchdir(below); err != nil {
		return err
	}
	for _, path := range others {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			return &linux.Error{Op: "unmount", On: path, Errno: err.(syscall.Errno)}
		}
	}
	return nil
}
