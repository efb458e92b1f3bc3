package rootfs

import (
	"errors"
	"runtime"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// View is the box's root for file copies. It has the box's shares, the directories of its volumes
// and the three network files, and neither kernel filesystems nor the box's own mounts. It is a
// mount namespace of its own, so events in the box's namespace do not change it.
type View struct {
	Root rootdir.Root
	// release ends the thread that holds the namespace.
	release chan struct{}
}

// Clones are detached copies of what a view shows.
type Clones struct {
	root   rootdir.Root
	shares []clone
}

type clone struct {
	mount int
	path  string
}

// CloneShown copies the box's mounts that a view shows. The calling thread is in the box's mount
// namespace.
func CloneShown(r rootdir.Root, box *spec.Spec) (*Clones, error) {
	mount, err := rootdir.ClonePrivate(r.FD)
	if err != nil {
		return nil, err
	}
	c := &Clones{root: rootdir.Root{FD: mount}}
	// They come first: the others may be mounted in them.
	if box.Rootfs.Readonly && box.Directories != nil {
		for _, path := range *box.Directories {
			if err := c.add(r, path, func(fd int) (bool, error) { return isOwnDirectory(r, fd) }); err != nil {
				return nil, errors.Join(err, c.Close())
			}
		}
	}
	paths := []string{layers.HostnamePath, layers.HostsPath, layers.ResolvConfPath}
	for _, m := range box.Mounts {
		if m.Kind != "tmpfs" {
			paths = append(paths, m.Destination)
		}
	}
	for _, path := range paths {
		if err := c.add(r, path, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// isOwnDirectory says whether a directory is of the root's own filesystem, and is not the root.
// makeReadonlyRoot has mounted it on itself, writable.
func isOwnDirectory(r rootdir.Root, fd int) (bool, error) {
	var root, directory syscall.Stat_t
	if err := errors.Join(syscall.Fstat(r.FD, &root), syscall.Fstat(fd, &directory)); err != nil {
		return false, err
	}
	return directory.Mode&syscall.S_IFMT == syscall.S_IFDIR && directory.Dev == root.Dev && directory.Ino != root.Ino, nil
}

// add clones the mount at a path, if the function selects it. The box may have moved it away, or
// put a link in its place; a link does not lead out of the box's own files.
func (c *Clones) add(r rootdir.Root, path string, shown func(fd int) (bool, error)) error {
	fd, err := r.Open(path, 0, 0)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := rootdir.RefuseKernelFiles(fd); errors.Is(err, rootdir.ErrKernelFiles) {
		return nil
	} else if err != nil {
		return err
	}
	if shown != nil {
		if is, err := shown(fd); err != nil || !is {
			return err
		}
	}
	mount, err := rootdir.ClonePrivate(fd)
	if err != nil {
		return err
	}
	c.shares = append(c.shares, clone{mount, path})
	return nil
}

// Close closes what no view has taken.
func (c *Clones) Close() error {
	err := syscall.Close(c.root.FD)
	for _, share := range c.shares {
		err = errors.Join(err, syscall.Close(share.mount))
	}
	return err
}

// NewView mounts the clones in a new mount namespace, a copy of the one that `namespace` is open
// on.
func NewView(c *Clones, namespace int) (*View, error) {
	v := &View{Root: c.root, release: make(chan struct{})}
	made := make(chan error)
	go func() {
		// Never unlocked: the thread ends with this function, and the namespace with it.
		runtime.LockOSThread()
		made <- v.mount(c, namespace)
		<-v.release
	}()
	err := <-made
	for _, share := range c.shares {
		err = errors.Join(err, syscall.Close(share.mount))
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *View) mount(c *Clones, namespace int) error {
	if err := linux.Unshare(syscall.CLONE_FS); err != nil {
		return err
	}
	if err := linux.SetNamespace(namespace, syscall.CLONE_NEWNS); err != nil {
		return err
	}
	if err := linux.Unshare(syscall.CLONE_NEWNS); err != nil {
		return err
	}
	// A process with the right to mount may have made the box's mounts shared: what is mounted here
	// would then appear in the box.
	if err := rootdir.MakePrivate(); err != nil {
		return err
	}
	if err := rootdir.Attach(v.Root.FD, "/"); err != nil {
		return err
	}
	if err := EnterRoot(v.Root); err != nil {
		return err
	}
	for _, share := range c.shares {
		if err := v.show(share); err != nil {
			return err
		}
	}
	return nil
}

// show mounts a clone at its path. Without what it was mounted on, or on another kind of file, it
// is not shown.
func (v *View) show(c clone) error {
	target, err := v.Root.Open(c.path, 0, 0)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	err = linux.Attach(c.mount, target)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// Close ends the view. Files that are open in it stay open.
func (v *View) Close() error {
	close(v.release)
	return syscall.Close(v.Root.FD)
}
