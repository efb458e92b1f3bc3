package rootfs

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// Directories of the agent, which exist in the box's mount namespace only, and there only until the
// box's root is entered.
const (
	nodesDir    = layers.BoxDir + "/nodes"
	textsDir    = layers.BoxDir + "/texts"
	sharesDir   = layers.BoxDir + "/shares"
	systemDir   = layers.BoxDir + "/system"
	networksDir = layers.BoxDir + "/networks"
)

// MakeBase replaces the root of this thread's mount namespace by the base, and makes in it all that
// does not depend on a spec.
func MakeBase() (*Texts, error) {
	if err := enterBase(); err != nil {
		return nil, err
	}
	t, err := newTexts()
	if err != nil {
		return nil, err
	}
	if err := layers.MakeMountPoints(); err != nil {
		return t, err
	}
	if err := layers.MakeDirectories(); err != nil {
		return t, err
	}
	return t, os.Mkdir(layers.RootDir, 0o755)
}

// enterBase makes an empty tmpfs, with the agent's own view of the kernel, the root of this
// thread's mount namespace.
//
// pivot_root cannot replace an initramfs, so it is moved on top, as switch_root does, and
// everything else is unmounted. What lies below is an empty, read-only directory.
func enterBase() error {
	below, err := linux.OpenAt(-1, "/", linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(below)
	others, err := topMounts("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	if err := rootdir.MountAt("tmpfs", layers.BoxDir, 0, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, path := range []string{"/dev", "/proc", "/sys"} {
		mount, err := linux.CloneMount(-1, path, false)
		if err != nil {
			return err
		}
		if err := errors.Join(rootdir.AttachAt(mount, layers.BoxDir+path), syscall.Close(mount)); err != nil {
			return err
		}
	}
	if err := linux.SetAttributes(below, linux.Readonly, false); err != nil {
		return err
	}
	if err := syscall.Chdir(layers.BoxDir); err != nil {
		return err
	}
	if err := syscall.Mount(layers.BoxDir, "/", "", syscall.MS_MOVE, ""); err != nil {
		return &linux.Error{Op: "move", On: layers.BoxDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Chroot("."); err != nil {
		return &linux.Error{Op: "chroot", On: layers.BoxDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Fchdir(below); err != nil {
		return err
	}
	for _, path := range others {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			return &linux.Error{Op: "unmount", On: path, Errno: err.(syscall.Errno)}
		}
	}
	return syscall.Chdir("/")
}

// EnterRoot makes the box's root the root of the mount namespace, and of all processes in the base.
// Nothing else stays mounted.
func EnterRoot(r rootdir.Root) error {
	if err := syscall.Fchdir(r.FD); err != nil {
		return err
	}
	// The base comes to lie on top of the root, where "." then leads.
	if err := syscall.PivotRoot(".", "."); err != nil {
		return &linux.Error{Op: "pivot_root", On: layers.RootDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return &linux.Error{Op: "unmount", On: "the base", Errno: err.(syscall.Errno)}
	}
	return syscall.Chdir("/")
}
