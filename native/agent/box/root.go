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

// buildRoot assembles the box's root and enters it. In it nothing is written but what Docker writes too: empty mount points, the
// directories of the image's volumes, and the main process's working directory.
func (g *ground) buildRoot(spec *Spec, network *network) error {
	layers, err := mountLayers(spec.Rootfs.Layers, g.disks)
	if err != nil {
		return err
	}
	overlay, err := mountOverlay(layers, g.changesAt)
	if err != nil {
		return err
	}
	g.root = root{overlay}
	if err := g.fillRoot(spec, network); err != nil {
		return err
	}
	return enterRoot(g.root)
}

// fillRoot mounts in the root what is not of the image.
func (g *ground) fillRoot(spec *Spec, network *network) error {
	r := g.root
	for _, moved := range []struct {
		from root
		path string
	}{{g.system, "/proc"}, {g.system, "/dev"}, {network.system, "/sys"}} {
		if err := r.adopt(moved.from, moved.path); err != nil {
			return err
		}
	}
	if spec.Process.Terminal {
		if err := makeConsole(r); err != nil {
			return err
		}
	}
	if err := g.texts.mountEtc(r, spec); err != nil {
		return err
	}
	if err := mountShares(r, spec.Mounts); err != nil {
		return err
	}
	// Before the agent's own mounts, in which nobody but the agent makes anything.
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
		if err := linux.SetAttributes(r.fd, linux.Readonly, false); err != nil {
			return err
		}
	}
	return spec.protection().outside("/dev", "/proc", "/sys").apply(r)
}

func (r root) attach(a Attachment) error {
	target, err := r.directory(a.Path)
	if err != nil {
		return &deviceError{"mount at", a.Path, err}
	}
	defer syscall.Close(target)
	return linux.Attach(a.Mount, target)
}

// makeDirectories makes what the image lacks of them, as Docker makes the directories of volumes.
func makeDirectories(r root, directories *[]string) error {
	if directories == nil {
		return nil
	}
	for _, path := range *directories {
		fd, err := r.directory(path)
		if err != nil {
			return &deviceError{"make the directory", path, err}
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	return nil
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
	return attach(mount, path)
}

// attach attaches a mount to a directory of the agent's own that is there.
func attach(mount int, path string) error {
	target, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}
