package rootfs

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// CwdError is a working directory that cannot be one.
type CwdError struct{ message string }

// Error is the message that Docker has for it.
func (e *CwdError) Error() string { return e.message }

// Fill mounts everything but the image's files in the root, and keeps the writable shares. system
// and network are the roots with the box's /dev and /proc, and with its /sys.
func Fill(r rootdir.Root, spec *spec.Spec, system, network rootdir.Root, t *Texts, kept Shares) error {
	for _, moved := range []struct {
		from rootdir.Root
		path string
	}{{system, "/proc"}, {system, "/dev"}, {network, "/sys"}} {
		if err := adopt(r, moved.from, moved.path); err != nil {
			return err
		}
	}
	if spec.Process.Terminal {
		if err := makeConsole(r); err != nil {
			return err
		}
	}
	if err := t.mountEtc(r, spec); err != nil {
		return err
	}
	if spec.ShmBytes != nil {
		if err := changeShm(r, *spec.ShmBytes); err != nil {
			return layers.NewDeviceError("change", shmPath, err)
		}
	}
	if err := mountAsked(r, spec, kept); err != nil {
		return err
	}
	// Before the agent's own mounts, in which only the agent makes files.
	if err := makeDirectories(r, spec.Directories); err != nil {
		return err
	}
	for _, attachment := range spec.Attachments {
		if err := attachAt(r, attachment); err != nil {
			return err
		}
	}
	if err := mountAuthorities(r, spec.Authorities); err != nil {
		return err
	}
	if err := makeCwd(r, spec.Process.Cwd); err != nil {
		return err
	}
	if spec.Rootfs.Readonly {
		if err := makeReadonlyRoot(r, spec.Directories); err != nil {
			return err
		}
	}
	return ProtectionOf(spec).outside("/dev", "/proc", "/sys").apply(r)
}

func attachAt(r rootdir.Root, a spec.Attachment) error {
	target, err := r.Directory(a.Path)
	if err != nil {
		return layers.NewDeviceError("mount at", a.Path, err)
	}
	defer syscall.Close(target)
	return linux.Attach(a.Mount, target)
}

// makeDirectories makes the directories that the image lacks, as Docker makes those of volumes.
func makeDirectories(r rootdir.Root, directories *[]string) error {
	if directories == nil {
		return nil
	}
	for _, path := range *directories {
		fd, err := r.Directory(path)
		if err != nil {
			return layers.NewDeviceError("make the directory", path, err)
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

func makeCwd(r rootdir.Root, cwd string) error {
	fd, err := r.Directory(cwd)
	if errors.Is(err, rootdir.ErrNotDirectory) || errors.Is(err, syscall.ENOTDIR) {
		return &CwdError{"cannot mkdir: " + cwd + " is not a directory"}
	}
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}
