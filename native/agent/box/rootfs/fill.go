package rootfs

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// CwdError is a working directory that cannot be one.
type CwdError struct{ message string }

// Error is the message that Docker has for it.
func (e *CwdError) Error() string { return e.message }

// Fill mounts in the root what is not of the image, and keeps its writable shares. system and
// network are the roots that hold its /dev and /proc, and its /sys.
func (r Root) Fill(spec *spec.Spec, system, network Root, t *Texts, kept Shares) error {
	for _, moved := range []struct {
		from Root
		path string
	}{{system, "/proc"}, {system, "/dev"}, {network, "/sys"}} {
		if err := r.adopt(moved.from, moved.path); err != nil {
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
		if err := r.resizeShm(*spec.ShmBytes); err != nil {
			return &DeviceError{"resize", shmPath, err}
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
		if err := r.attach(attachment); err != nil {
			return err
		}
	}
	if err := makeCwd(r, spec.Process.Cwd); err != nil {
		return err
	}
	if spec.Rootfs.Readonly {
		if err := r.makeReadonlyRoot(spec.Directories); err != nil {
			return err
		}
	}
	return ProtectionOf(spec).outside("/dev", "/proc", "/sys").apply(r)
}

func (r Root) attach(a spec.Attachment) error {
	target, err := r.directory(a.Path)
	if err != nil {
		return &DeviceError{"mount at", a.Path, err}
	}
	defer syscall.Close(target)
	return linux.Attach(a.Mount, target)
}

// makeDirectories makes the directories that the image lacks, as Docker makes those of volumes.
func makeDirectories(r Root, directories *[]string) error {
	if directories == nil {
		return nil
	}
	for _, path := range *directories {
		fd, err := r.directory(path)
		if err != nil {
			return &DeviceError{"make the directory", path, err}
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

func makeCwd(r Root, cwd string) error {
	fd, err := r.directory(cwd)
	if errors.Is(err, errNotDirectory) || errors.Is(err, syscall.ENOTDIR) {
		return &CwdError{"cannot mkdir: " + cwd + " is not a directory"}
	}
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}
