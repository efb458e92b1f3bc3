package rootfs

import (
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// Protection has the paths of a root that are read-only, and those that are masked. Devices are
// nodes of the guest that the box has besides the usual ones; a privileged box has all of them, and
// may write to all files of the kernel. OpensNodes: it may open nodes that it makes in /dev.
type Protection struct {
	Readonly, Masked, Devices []string
	Privileged, OpensNodes    bool
}

// ProtectionOf returns the protection of a spec.
func ProtectionOf(s *spec.Spec) Protection {
	c := &s.Confinement
	p := Protection{Readonly: c.ReadonlyPaths, Masked: c.MaskedPaths, Privileged: c.IsPrivileged(), OpensNodes: c.OpensNodes()}
	if c.Devices != nil {
		p.Devices = *c.Devices
	}
	return p
}

// Equal compares the paths in their order.
func (p Protection) Equal(other Protection) bool {
	return slices.Equal(p.Readonly, other.Readonly) && slices.Equal(p.Masked, other.Masked) &&
		slices.Equal(p.Devices, other.Devices) && p.Privileged == other.Privileged && p.OpensNodes == other.OpensNodes
}

// below keeps the paths in one of some directories; outside keeps all others.
func (p Protection) below(directories ...string) Protection {
	return p.less(without(directories))
}

func (p Protection) outside(directories ...string) Protection {
	in := func(name string) bool { return !without(directories)(name) }
	return p.less(in)
}

// less leaves paths out.
func (p Protection) less(out func(name string) bool) Protection {
	p.Readonly, p.Masked = slices.DeleteFunc(slices.Clone(p.Readonly), out), slices.DeleteFunc(slices.Clone(p.Masked), out)
	return p
}

// without says whether a path is in none of the directories, or is not clean, so that it may be
// anywhere.
func without(directories []string) func(name string) bool {
	return func(name string) bool {
		return path.Clean(name) != name ||
			!slices.ContainsFunc(directories, func(directory string) bool { return strings.HasPrefix(name, directory+"/") })
	}
}

// apply protects what there is of it below a root.
func (p Protection) apply(r rootdir.Root) error {
	for _, name := range p.Readonly {
		if err := makeReadonly(r, name); err != nil {
			return layers.NewDeviceError("protect", name, err)
		}
	}
	for _, name := range p.Masked {
		if err := mask(r, name); err != nil {
			return layers.NewDeviceError("mask", name, err)
		}
	}
	return nil
}

// openPresent opens a path of the root; -1 where the path does not exist.
func openPresent(r rootdir.Root, name string) (int, error) {
	fd, err := r.Open(name, 0, 0)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return -1, nil
	}
	return fd, err
}

// makeReadonly makes a path, with everything mounted below it, a read-only mount of its own.
func makeReadonly(r rootdir.Root, name string) error {
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
func mask(r rootdir.Root, name string) error {
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
		mount, err = linux.NewMount("tmpfs", linux.Readonly|rootdir.Harmless,
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
