package files

import (
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// Kinds of changes, with Docker's numbers.
const (
	Modified = iota
	Added
	Deleted
)

// Change is a path that differs from the image.
type Change struct {
	Path string
	Kind int
}

// changeWalk compares the upper directory of an overlay with what lies below it.
type changeWalk struct {
	ctx   context.Context
	lower rootdir.Root
	emit  func(Change) error
	// shown are the directories above a change that were emitted.
	shown map[string]bool
}

// Changes calls a function with each difference between an overlay's upper directory and the layers
// below it, as Docker lists them: a changed directory before what changed in it, in order of name.
// What a start makes in the root, such as the directories of volumes, is listed too.
func Changes(ctx context.Context, upper int, lower rootdir.Root, emit func(Change) error) error {
	w := &changeWalk{ctx: ctx, lower: lower, emit: emit, shown: map[string]bool{}}
	return w.directory(upper, "/", 1)
}

func (w *changeWalk) directory(dir int, at string, depth int) error {
	if depth > maxDepth {
		return &Error{CodeInvalid, "more than " + strconv.Itoa(maxDepth) + " directories in each other at " + at}
	}
	fd, err := linux.OpenAt(dir, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0, plain)
	if err != nil {
		return pathErrno("open", at, err)
	}
	defer syscall.Close(fd)
	all, err := sortedNames(fd, at)
	if err != nil {
		return err
	}
	for _, name := range all {
		if err := w.entry(fd, name, path.Join(at, name), depth); err != nil {
			return err
		}
	}
	return nil
}

// maxNames is how many names of one directory the agent holds, some 60 MiB of them.
const maxNames = 1_000_000

// sortedNames reads all names of a directory, so that what is made of them does not depend on the
// order in which the filesystem has them. It refuses more of them than the agent has memory for.
func sortedNames(fd int, at string) ([]string, error) { return fewNames(fd, at, maxNames) }

func fewNames(fd int, at string, most int) ([]string, error) {
	var all []string
	buffer := make([]byte, namesBuffer)
	for {
		names, err := tree.ReadNames(fd, buffer)
		if err != nil {
			return nil, pathErrno("read the directory", at, err)
		}
		if len(names) == 0 {
			slices.Sort(all)
			return all, nil
		}
		if len(all)+len(names) > most {
			return nil, &Error{CodeInvalid, "more than " + strconv.Itoa(most) + " names in the directory " + at}
		}
		all = append(all, names...)
	}
}

func (w *changeWalk) entry(dir int, name, at string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	fd, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return pathErrno("open", at, err)
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return pathErrno("stat", at, err)
	}
	below, existed, err := statBelow(w.lower, at)
	if err != nil {
		return err
	}
	isDir := stat.Mode&syscall.S_IFMT == syscall.S_IFDIR
	switch {
	case isWhiteout(&stat):
		// Over nothing, it is of a file that the box made and removed.
		if !existed {
			return nil
		}
		return w.show(Change{at, Deleted})
	case !existed:
		err = w.showEntry(Change{at, Added}, isDir)
	case isDir && below.Mode == stat.Mode && below.Uid == stat.Uid && below.Gid == stat.Gid && below.Mtim == stat.Mtim:
		// It was only made to hold what changed in it.
	case !w.shown[at]:
		err = w.showEntry(Change{at, Modified}, isDir)
	}
	if err != nil || !isDir {
		return err
	}
	if existed && opaque(fd) {
		if err := w.removed(fd, at); err != nil {
			return err
		}
	}
	return w.directory(fd, at, depth+1)
}

// statBelow describes what the layers have at a path, which holds no link before its last
// component.
func statBelow(lower rootdir.Root, at string) (stat syscall.Stat_t, existed bool, err error) {
	fd, err := linux.OpenAt(lower.FD, strings.TrimPrefix(at, "/"), linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return stat, false, nil
	}
	if err != nil {
		return stat, false, pathErrno("open", at, err)
	}
	defer syscall.Close(fd)
	return stat, true, pathErrno("stat", at, syscall.Fstat(fd, &stat))
}

// showEntry emits a change, and remembers directories alone: others are met once.
func (w *changeWalk) showEntry(c Change, isDir bool) error {
	if isDir {
		w.shown[c.Path] = true
	}
	return w.show(c)
}

// show emits a change, after the directory that it is in: that has changed too.
func (w *changeWalk) show(c Change) error {
	parent := path.Dir(c.Path)
	if c.Kind != Modified && parent != "/" && !w.shown[parent] {
		w.shown[parent] = true
		if err := w.show(Change{parent, Modified}); err != nil {
			return err
		}
	}
	return w.emit(c)
}

// isWhiteout says whether overlayfs has marked a path as removed.
func isWhiteout(stat *syscall.Stat_t) bool {
	return stat.Mode&syscall.S_IFMT == syscall.S_IFCHR && stat.Rdev == 0
}

// opaque says whether a directory hides all that the layers have at its path.
func opaque(fd int) bool {
	var value [1]byte
	n, err := syscall.Getxattr(tree.ByDescriptor(fd), "trusted.overlay.opaque", value[:])
	return err == nil && n == 1 && value[0] == 'y'
}

// removed emits the entries of the layers' directory that an opaque one does not have again.
func (w *changeWalk) removed(upper int, at string) error {
	fd, err := linux.OpenAt(w.lower.FD, strings.TrimPrefix(at, "/"), syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return pathErrno("open", at, err)
	}
	defer syscall.Close(fd)
	buffer := make([]byte, namesBuffer)
	for {
		names, err := tree.ReadNames(fd, buffer)
		if err != nil || len(names) == 0 {
			return pathErrno("read the directory", at, err)
		}
		for _, name := range names {
			kind, err := kindAt(upper, name)
			if err == nil && kind == 0 {
				err = w.show(Change{path.Join(at, name), Deleted})
			}
			if err != nil {
				return err
			}
		}
	}
}
