package box

import (
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// protection is what of a root nobody may write to, and what nobody may see.
type protection struct{ readonly, masked []string }

// protectionOf is what a spec asks for.
func protectionOf(s *Spec) protection {
	return protection{s.Confinement.ReadonlyPaths, s.Confinement.MaskedPaths}
}

func (p protection) equal(other protection) bool {
	return slices.Equal(p.readonly, other.readonly) && slices.Equal(p.masked, other.masked)
}

// below keeps the paths in one of some directories; outside keeps all others.
func (p protection) below(directories ...string) protection {
	return protection{slices.DeleteFunc(slices.Clone(p.readonly), without(directories)), slices.DeleteFunc(slices.Clone(p.masked), without(directories))}
}

func (p protection) outside(directories ...string) protection {
	in := func(name string) bool { return !without(directories)(name) }
	return protection{slices.DeleteFunc(slices.Clone(p.readonly), in), slices.DeleteFunc(slices.Clone(p.masked), in)}
}

// without says of a path that it is not in one of the directories, or not written in the one way in which that is plain.
func without(directories []string) func(name string) bool {
	return func(name string) bool {
		return path.Clean(name) != name ||
			!slices.ContainsFunc(directories, func(directory string) bool { return strings.HasPrefix(name, directory+"/") })
	}
}

// apply protects what there is of it below a root.
func (p protection) apply(r root) error {
	for _, name := range p.readonly {
		if err := makeReadonly(r, name); err != nil {
			return &deviceError{"protect", name, err}
		}
	}
	for _, name := range p.masked {
		if err := mask(r, name); err != nil {
			return &deviceError{"mask", name, err}
		}
	}
	return nil
}

// openPresent opens a path of the root; -1 when there is nothing to hide or to protect.
func openPresent(r root, name string) (int, error) {
	fd, err := r.open(name, 0, 0)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return -1, nil
	}
	return fd, err
}

// makeReadonly makes a path a mount of its own that nobody can write to, with all that is mounted below.
func makeReadonly(r root, name string) error {
	target, err := openPresent(r, name)
	if err != nil || target < 0 {
		return err
	}
	defer syscall.Close(target)
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
func mask(r root, name string) error {
	target, err := openPresent(r, name)
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
		mount, err = linux.NewMount("tmpfs", linux.Readonly|harmless,
			linux.Option{Key: "source", Value: "tmpfs"}, linux.Option{Key: "nr_inodes", Value: "1"})
	} else {
		mount, err = linux.CloneMount(-1, nodesDir+"/null", false)
	}
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return linux.Attach(mount, target)
}
