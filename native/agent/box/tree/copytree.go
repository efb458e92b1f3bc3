package tree

import (
	"errors"
	"path"
	"syscall"

	"a3s.dev/box/agent/linux"
)

const (
	// maxTreePath is the longest path that the kernel takes. No image has a longer one.
	maxTreePath = 4095
	// openLevels is how many directories on the way down stay open; those above are opened again on
	// the way back.
	openLevels = 32
)

var (
	ErrDevice     = errors.New("a volume cannot hold a device node")
	ErrCapability = errors.New("a volume cannot hold a program with capabilities (security.capability)")
)

// copiedDirectory is a directory of the tree on the way from its root to what is being copied. Its
// descriptors are -1 while they are closed.
type copiedDirectory struct {
	path           string
	source, target int
	// children are the directories in it that are made, and still empty.
	children []string
}

func (d *copiedDirectory) closed() bool { return d.source < 0 }

// open opens both sides by a path below two directories.
func (d *copiedDirectory) open(source, target int, path string) (err error) {
	if d.source, err = OpenDirectory(source, path); err != nil {
		return err
	}
	d.target, err = OpenDirectory(target, path)
	return err
}

func (d *copiedDirectory) close() {
	for _, fd := range []*int{&d.source, &d.target} {
		if *fd >= 0 {
			syscall.Close(*fd)
			*fd = -1
		}
	}
}

// inode has what the hard links of one file share.
type inode struct{ device, number uint64 }

// firstLink is the place of a file's copy, and how many links of the file have not been found yet.
type firstLink struct {
	directory, name string
	missing         uint64
}

// treeCopy copies a tree that may be hostile. Nothing changes the tree meanwhile.
type treeCopy struct {
	source, target int
	// directories is the path from the root of the tree to the directory being copied.
	directories []*copiedDirectory
	links       map[inode]*firstLink
	names       [namesBuffer]byte
	data        []byte
	attributes  attributes
}

// Copy copies into an empty directory what another one has, and that directory's own attributes. It
// leaves out sockets: a socket is of no use as a file. Its errors name the path in the tree.
func Copy(source, target int) error {
	c := &treeCopy{source: source, target: target, links: map[inode]*firstLink{}, data: make([]byte, 1<<20)}
	defer func() {
		for _, d := range c.directories {
			d.close()
		}
	}()
	if err := c.enter(&copiedDirectory{path: ".", source: -1, target: -1}); err != nil {
		return err
	}
	for len(c.directories) > 0 {
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// next copies one of the directories in the lowest one, or completes the lowest one.
func (c *treeCopy) next() error {
	d := c.directories[len(c.directories)-1]
	if last := len(d.children) - 1; last >= 0 {
		name := d.children[last]
		d.children = d.children[:last]
		return c.enter(&copiedDirectory{path: path.Join(d.path, name), source: -1, target: -1})
	}
	// Last, since copies into it change its time, and its mode may forbid them to the file server
	// of an ordinary user.
	err := c.open()
	if err == nil {
		err = c.attributes.copy(d.source, d.target)
	}
	if err != nil {
		return copyError(d.path, err)
	}
	d.close()
	c.directories = c.directories[:len(c.directories)-1]
	return nil
}

// enter makes a directory the lowest one, and copies all that is in it but the content of its own
// directories.
func (c *treeCopy) enter(d *copiedDirectory) error {
	c.directories = append(c.directories, d)
	if above := len(c.directories) - 1 - openLevels; above >= 0 {
		c.directories[above].close()
	}
	if err := c.open(); err != nil {
		return copyError(d.path, err)
	}
	for {
		names, err := ReadNames(d.source, c.names[:])
		if err != nil {
			return copyError(d.path, StepError("read the directory", err))
		}
		if len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if err := c.entry(d, name); err != nil {
				return copyError(path.Join(d.path, name), err)
			}
		}
	}
}

// open opens the lowest directory if it is closed, and as many of those above it as may stay open.
func (c *treeCopy) open() error {
	last := len(c.directories) - 1
	first := last
	for first > max(0, last-openLevels+1) && c.directories[first].closed() {
		first--
	}
	if d := c.directories[first]; d.closed() {
		if err := d.open(c.source, c.target, d.path); err != nil {
			return err
		}
	}
	for index := first + 1; index <= last; index++ {
		above, d := c.directories[index-1], c.directories[index]
		if err := d.open(above.source, above.target, path.Base(d.path)); err != nil {
			return err
		}
	}
	return nil
}

// entry copies one entry of a directory: if it is a directory, as an empty one.
func (c *treeCopy) entry(d *copiedDirectory, name string) error {
	if len(d.path)+1+len(name) > maxTreePath {
		return syscall.ENAMETOOLONG
	}
	source, err := linux.OpenAt(d.source, name, linux.OPath|syscall.O_NOFOLLOW, 0, withinTree)
	if err != nil {
		return err
	}
	defer syscall.Close(source)
	var stat syscall.Stat_t
	if err := syscall.Fstat(source, &stat); err != nil {
		return StepError("stat", err)
	}
	kind := stat.Mode & syscall.S_IFMT
	switch kind {
	case syscall.S_IFDIR:
		d.children = append(d.children, name)
		return StepError("mkdir", syscall.Mkdirat(d.target, name, 0o700))
	case syscall.S_IFSOCK:
		return nil
	case syscall.S_IFBLK, syscall.S_IFCHR:
		return ErrDevice
	}
	if linked, err := c.link(d, name, &stat); linked || err != nil {
		return err
	}
	switch kind {
	case syscall.S_IFLNK:
		target, err := linux.ReadLink(source)
		if err == nil {
			err = linux.SymlinkAt(target, d.target, name)
		}
		if err != nil {
			return err
		}
	case syscall.S_IFIFO:
		if err := syscall.Mknodat(d.target, name, syscall.S_IFIFO|0o600, 0); err != nil {
			return StepError("mkfifo", err)
		}
	default:
		if err := c.file(d, name); err != nil {
			return err
		}
	}
	target, err := linux.OpenAt(d.target, name, linux.OPath|syscall.O_NOFOLLOW, 0, withinTree)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return c.attributes.copy(source, target)
}

// link gives the copy of a file another name where another link of the file was copied already.
func (c *treeCopy) link(d *copiedDirectory, name string, stat *syscall.Stat_t) (linked bool, err error) {
	if stat.Nlink < 2 {
		return false, nil
	}
	id := inode{stat.Dev, stat.Ino}
	first := c.links[id]
	if first == nil {
		c.links[id] = &firstLink{d.path, name, uint64(stat.Nlink) - 1}
		return false, nil
	}
	if first.missing--; first.missing == 0 {
		delete(c.links, id)
	}
	if first.directory == d.path {
		return true, linux.LinkAt(d.target, first.name, d.target, name)
	}
	directory, err := linux.OpenAt(c.target, first.directory, linux.OPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, withinTree)
	if err != nil {
		return true, err
	}
	defer syscall.Close(directory)
	return true, linux.LinkAt(directory, first.name, d.target, name)
}

// file copies the content of a regular file.
func (c *treeCopy) file(d *copiedDirectory, name string) error {
	from, err := linux.OpenAt(d.source, name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0, withinTree)
	if err != nil {
		return err
	}
	defer syscall.Close(from)
	to, err := linux.OpenAt(d.target, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600, withinTree)
	if err != nil {
		return err
	}
	err = copyContent(from, to, c.data)
	// A file server reports errors of writes here too.
	return errors.Join(err, StepError("close", syscall.Close(to)))
}

func copyError(path string, err error) error {
	return &Error{"copy", path, err}
}
