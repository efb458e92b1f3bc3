// Package files copies files into a box and out of it as tar archives, by Docker's rules for paths.
//
// The box runs meanwhile, and its processes may be hostile: no path is resolved outside the box's
// root, and none is resolved twice. What an archive contains stays below the directory that it is
// extracted to.
package files

import (
	"errors"
	"path"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// How paths are walked in the box's root, and how names are opened below a directory.
const (
	inRoot = linux.InRoot | linux.NoMagicLinks
	below  = linux.Beneath | linux.NoMagicLinks
	plain  = below | linux.NoSymlinks
)

// maxLinks is the kernel's own bound on symbolic links in one path.
const maxLinks = 40

// Tree is the root of the files that are copied.
type Tree struct {
	Root rootdir.Root
	// Run runs what replaces a file, which only an extraction does. Its thread is in the box's
	// mount namespace, so that nothing there is unmounted.
	Run tree.Runner
}

// place is a path as Docker reads it.
type place struct {
	// clean is absolute, and has no empty component, `.` or `..`.
	clean string
	// name is the name of the first entry of an archive of it.
	name string
	// directory: the path ends in `/` or `/.`, so that it names a directory, and a link at its end
	// is followed.
	directory bool
}

func parsePlace(text string) (place, error) {
	if text == "" || strings.Contains(text, "\x00") || len(text) > 4096 {
		return place{}, &Error{CodeInvalid, "the path is empty, too long, or has a NUL"}
	}
	p := place{clean: path.Join("/", text)}
	p.name = path.Base(p.clean)
	last := text[strings.LastIndexByte(text, '/')+1:]
	switch last {
	case ".":
		p.name, p.directory = ".", true
	case "":
		p.directory = true
	}
	return p, nil
}

// text is the path for messages.
func (p place) text() string {
	switch {
	case p.clean == "/" || !p.directory:
		return p.clean
	case p.name == ".":
		return p.clean + "/."
	default:
		return p.clean + "/"
	}
}

// open opens what a path names, with OPath.
func (t Tree) open(p place) (int, error) {
	if p.directory || p.clean == "/" {
		fd, err := linux.OpenAt(t.Root.FD, p.clean, linux.OPath|syscall.O_DIRECTORY, 0, inRoot)
		return fd, pathError("lstat "+p.text(), err)
	}
	parent, err := linux.OpenAt(t.Root.FD, path.Dir(p.clean), linux.OPath|syscall.O_DIRECTORY, 0, inRoot)
	if err != nil {
		return -1, pathError("lstat "+p.text(), err)
	}
	defer syscall.Close(parent)
	fd, err := linux.OpenAt(parent, p.name, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	return fd, pathError("lstat "+p.text(), err)
}

// target follows all links of a path, as far as what they name exists, and returns the absolute
// path.
func (t Tree) target(name string) (string, error) {
	resolved := "/"
	pending := strings.Split(name, "/")
	for links := 0; len(pending) > 0; {
		component := pending[0]
		pending = pending[1:]
		next := path.Join(resolved, component)
		if component == "" || component == "." || component == ".." {
			resolved = next
			continue
		}
		link, kind, err := t.Root.Lookup(next)
		switch {
		case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR):
		case err != nil:
			return "", err
		case kind == syscall.S_IFLNK:
			if links++; links > maxLinks {
				return "", &Error{CodeInvalid, "too many links in " + name}
			}
			pending = append(strings.Split(link, "/"), pending...)
			if strings.HasPrefix(link, "/") {
				resolved = "/"
			}
			continue
		}
		resolved = next
	}
	return resolved, nil
}
