// Package rootdir resolves paths inside a box's root, and mounts there and at directories of the
// agent's own.
package rootdir

import (
	"errors"
	"path"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// maxLinks is the kernel's own bound on symbolic links in one path.
const maxLinks = 40

// ErrNotDirectory is a path of the box with a component that is no directory.
var ErrNotDirectory = errors.New("not a directory")

// Root is a directory whose paths resolve inside it: absolute links and `..` stay below it.
type Root struct{ FD int }

// OpenDirectory returns a directory of this thread's as a root.
func OpenDirectory(path string) (Root, error) {
	fd, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	return Root{fd}, err
}

// Open opens a name in the root for use as a mount point.
func (r Root) Open(path string, flags int, resolve uint64) (int, error) {
	return linux.OpenAt(r.FD, path, linux.OPath|flags, 0, resolve|linux.InRoot|linux.NoMagicLinks)
}

// Directory opens a directory, and makes it and its parents where they are missing.
func (r Root) Directory(name string) (int, error) {
	resolved, _, err := r.resolve(name, true)
	if err != nil {
		return -1, err
	}
	fd, err := r.Open(resolved, syscall.O_DIRECTORY, linux.NoSymlinks)
	if errors.Is(err, syscall.ENOTDIR) {
		return -1, ErrNotDirectory
	}
	return fd, err
}

// File opens a file that is no directory and truncates it. It makes the file and its parents where
// they are missing.
func (r Root) File(name string) (int, error) {
	resolved, exists, err := r.resolve(name, false)
	if err != nil {
		return -1, err
	}
	if !exists {
		if err := r.create(resolved); err != nil {
			return -1, err
		}
	}
	fd, err := r.Open(resolved, 0, linux.NoSymlinks)
	if err != nil {
		return -1, err
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	if stat.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		syscall.Close(fd)
		return -1, &linux.Error{Op: "mount a file on", On: name, Errno: syscall.EISDIR}
	}
	return fd, nil
}

func (r Root) create(name string) error {
	parent, err := r.Open(path.Dir(name), syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(parent)
	fd, err := syscall.Openat(parent, path.Base(name), syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return &linux.Error{Op: "create", On: name, Errno: err.(syscall.Errno)}
	}
	return syscall.Close(fd)
}

// resolve follows the links of a path one by one, dangling ones too, and makes missing directories;
// it makes the last component only when that has to be a directory. The result has no link. A step
// can fail when a process renames a directory meanwhile, but no step leaves the root.
func (r Root) resolve(name string, lastIsDirectory bool) (resolved string, exists bool, err error) {
	resolved = "/"
	pending := strings.Split(name, "/")
	for links := 0; len(pending) > 0; {
		component := pending[0]
		pending = pending[1:]
		next := path.Join(resolved, component)
		if component == "" || component == "." || component == ".." {
			resolved = next
			continue
		}
		target, kind, err := r.Lookup(next)
		switch {
		case errors.Is(err, syscall.ENOENT):
			if !lastIsDirectory && !more(pending) {
				return next, false, nil
			}
			if err := r.mkdir(resolved, component); err != nil {
				return "", false, err
			}
		case err != nil:
			return "", false, err
		case kind == syscall.S_IFLNK:
			if links++; links > maxLinks {
				return "", false, &linux.Error{Op: "resolve", On: name, Errno: syscall.ELOOP}
			}
			pending = append(strings.Split(target, "/"), pending...)
			if strings.HasPrefix(target, "/") {
				resolved = "/"
			}
			continue
		}
		resolved = next
	}
	return resolved, true, nil
}

func more(pending []string) bool {
	for _, component := range pending {
		if component != "" && component != "." {
			return true
		}
	}
	return false
}

// Lookup returns the kind of a file, and the target if it is a link. The name has no links before
// its last component.
func (r Root) Lookup(name string) (target string, kind uint32, err error) {
	fd, err := r.Open(name, syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", 0, err
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return "", 0, err
	}
	kind = stat.Mode & syscall.S_IFMT
	if kind == syscall.S_IFLNK {
		target, err = linux.ReadLink(fd)
	}
	return target, kind, err
}

func (r Root) mkdir(parent, name string) error {
	fd, err := r.Open(parent, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Mkdirat(fd, name, 0o755); err != nil {
		return &linux.Error{Op: "mkdir", On: path.Join(parent, name), Errno: err.(syscall.Errno)}
	}
	return nil
}

// PlainDirectory makes a directory that may be missing but must not be a link.
func (r Root) PlainDirectory(path string) error {
	_, kind, err := r.Lookup(path)
	if err == nil && kind != syscall.S_IFDIR {
		return &linux.Error{Op: "mount on", On: path, Errno: syscall.ENOTDIR}
	}
	fd, err := r.Directory(path)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}
