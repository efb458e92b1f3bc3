package files

import (
	"archive/tar"
	"compress/bzip2"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// Owner is the user and group that extracted files get.
type Owner struct{ UID, GID uint32 }

// ExtractOptions are the options of `PUT /containers/{id}/archive`.
type ExtractOptions struct {
	// KeepKinds refuses to replace a directory by anything else, or the other way round.
	KeepKinds bool
	// Owner is nil where the archive's own numbers count.
	Owner *Owner
}

// extraction extracts one archive. All that it changes lies below `into`.
type extraction struct {
	ctx     context.Context
	run     tree.Runner
	options ExtractOptions
	into    int
	// text is the directory's path, for messages.
	text string
	// walk resolves a path below `into`. Links that lead out of the directory are refused, and in
	// the box's root none can.
	walk   uint64
	times  directoryTimes
	buffer []byte
}

// Extract extracts an archive into the directory at a path, and follows every link in the path. A
// file replaces an older one when it is complete. Entries before one that fails stay.
func (t Tree) Extract(ctx context.Context, text string, options ExtractOptions, from io.Reader) error {
	p, err := parsePlace(text)
	if err != nil {
		return err
	}
	into, err := t.destination(p)
	if err != nil {
		return err
	}
	defer syscall.Close(into)
	e := &extraction{ctx: ctx, run: t.Run, options: options, into: into, text: p.clean, walk: below, buffer: make([]byte, copyBuffer)}
	if p.clean == "/" {
		e.walk = inRoot
	}
	archive, err := decompressed(from)
	if err != nil {
		return err
	}
	if err := e.all(readHeaders(archive)); err != nil {
		return err
	}
	// What follows the last entry: the checksum of a compressed archive too.
	_, err = io.Copy(io.Discard, archive)
	return archiveError(err)
}

// destination opens the directory, and refuses a read-only one.
func (t Tree) destination(p place) (int, error) {
	fd, err := linux.OpenAt(t.Root.FD, p.clean, linux.OPath|syscall.O_DIRECTORY, 0, inRoot)
	if errors.Is(err, syscall.ENOTDIR) {
		return -1, &Error{CodeInvalid, "extraction point is not a directory"}
	}
	if err != nil {
		return -1, pathError("lstat "+p.text(), err)
	}
	if err := t.writable(fd); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (t Tree) writable(fd int) error {
	const readonly = 1
	var filesystem syscall.Statfs_t
	var here, root syscall.Stat_t
	err := errors.Join(syscall.Fstatfs(fd, &filesystem), syscall.Fstat(fd, &here), syscall.Fstat(t.Root.FD, &root))
	switch {
	case err != nil:
		return err
	case filesystem.Flags&readonly == 0:
		return nil
	case here.Dev == root.Dev:
		return &Error{CodeReadonly, "container rootfs is marked read-only"}
	default:
		return &Error{CodeReadonly, "mounted volume is marked read-only"}
	}
}

func (e *extraction) all(archive *headers) error {
	for {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		header, err := archive.next()
		if errors.Is(err, io.EOF) {
			return e.times.leave(e, "")
		}
		if err != nil {
			return archiveError(err)
		}
		if err := e.entry(archive.archive, header); err != nil {
			return err
		}
	}
}

// archiveError says what is wrong with the archive itself.
func archiveError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{CodeInvalid, "unexpected EOF"}
	}
	var bzipped bzip2.StructuralError
	var deflated flate.CorruptInputError
	if errors.As(err, &bzipped) || errors.As(err, &deflated) {
		return &Error{CodeInvalid, err.Error()}
	}
	for _, damage := range []error{tar.ErrHeader, tar.ErrFieldTooLong, gzip.ErrHeader, gzip.ErrChecksum} {
		if errors.Is(err, damage) {
			return &Error{CodeInvalid, err.Error()}
		}
	}
	return err
}

// entry extracts one entry. As in Docker, a name counts from the directory also where it begins
// with `/`.
func (e *extraction) entry(archive *tar.Reader, header *tar.Header) error {
	name := path.Clean(strings.TrimLeft(header.Name, "/"))
	if name == ".." || strings.HasPrefix(name, "../") || strings.Contains(name, "\x00") {
		return &Error{CodeInvalid, strconv.Quote(header.Name) + " is outside of " + strconv.Quote(e.text)}
	}
	// The directory itself stays as it is.
	if name == "." || header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if err := e.checkKind(name, header); err != nil {
		return err
	}
	if err := e.times.leave(e, name); err != nil {
		return err
	}
	parent, err := e.parent(path.Dir(name))
	if err != nil {
		return e.wrap(name, err)
	}
	defer syscall.Close(parent)
	return e.wrap(name, e.place(archive, header, parent, name))
}

// checkKind refuses what a box has no use for, and links that lead out of the directory.
func (e *extraction) checkKind(name string, header *tar.Header) error {
	refused := func(what string) error { return &Error{CodeInvalid, what} }
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeFifo:
	case tar.TypeLink:
		if leavesRoot(path.Clean(strings.TrimLeft(header.Linkname, "/"))) {
			return refused("invalid hardlink " + strconv.Quote(e.at(name)) + " -> " + strconv.Quote(header.Linkname))
		}
	case tar.TypeSymlink:
		// An absolute target leads nowhere before somebody follows it, and no later entry does.
		// Above the root there is nothing: `..` stays there.
		isWithin := e.walk == inRoot || path.IsAbs(header.Linkname) || !leavesRoot(path.Join(path.Dir(name), header.Linkname))
		if header.Linkname == "" || !isWithin {
			return refused("invalid symlink " + strconv.Quote(e.at(name)) + " -> " + strconv.Quote(header.Linkname))
		}
	case tar.TypeChar, tar.TypeBlock:
		return refused("cannot extract the device node " + strconv.Quote(e.at(name)) + ": no device node can be opened in a box")
	default:
		return refused("unhandled tar header type " + strconv.Itoa(int(header.Typeflag)) + " of " + strconv.Quote(e.at(name)))
	}
	const most = 1<<32 - 2
	if header.Uid < 0 || header.Gid < 0 || header.Uid > most || header.Gid > most {
		return refused("invalid owner of " + strconv.Quote(e.at(name)))
	}
	return nil
}

func leavesRoot(clean string) bool { return clean == ".." || strings.HasPrefix(clean, "../") }

func (e *extraction) at(name string) string { return path.Join(e.text, name) }

func (e *extraction) wrap(name string, err error) error {
	if errors.Is(err, syscall.EXDEV) {
		return &Error{CodeInvalid, strconv.Quote(e.at(name)) + " is outside of " + strconv.Quote(e.text) + ": a link leads out of it"}
	}
	return pathErrno("extract", e.at(name), err)
}

// parent opens a directory below `into`, and makes it and those above it where they are missing, as
// Docker does: with mode 0755, and root's.
func (e *extraction) parent(name string) (int, error) {
	open := func(name string) (int, error) {
		return linux.OpenAt(e.into, name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0, e.walk)
	}
	fd, err := open(name)
	if !errors.Is(err, syscall.ENOENT) {
		return fd, err
	}
	above := "."
	for component := range strings.SplitSeq(name, "/") {
		parent, err := open(above)
		if err != nil {
			return -1, err
		}
		err = syscall.Mkdirat(parent, component, 0o755)
		syscall.Close(parent)
		if err != nil && err != syscall.EEXIST {
			return -1, err
		}
		above = path.Join(above, component)
	}
	return open(name)
}

// place puts an entry into its directory.
func (e *extraction) place(archive *tar.Reader, header *tar.Header, parent int, name string) error {
	base := path.Base(name)
	kind, err := kindAt(parent, base)
	if err != nil {
		return err
	}
	isDir, becomesDir := kind == syscall.S_IFDIR, header.Typeflag == tar.TypeDir
	if e.options.KeepKinds && kind != 0 && isDir != becomesDir {
		if isDir {
			return &Error{CodeInvalid, "cannot overwrite directory " + strconv.Quote(e.at(name)) + " with non-directory " + strconv.Quote(e.text)}
		}
		return &Error{CodeInvalid, "cannot overwrite non-directory " + strconv.Quote(e.at(name)) + " with directory " + strconv.Quote(e.text)}
	}
	switch {
	case header.Typeflag == tar.TypeReg:
		return e.file(archive, header, parent, base, isDir)
	case becomesDir && isDir:
		return e.directory(header, parent, name)
	case kind != 0:
		if err := e.remove(parent, base, isDir); err != nil {
			return err
		}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if err := syscall.Mkdirat(parent, base, 0o700); err != nil {
			return err
		}
		return e.directory(header, parent, name)
	case tar.TypeLink:
		return e.hardLink(header, parent, base)
	case tar.TypeSymlink:
		err = linux.SymlinkAt(header.Linkname, parent, base)
	case tar.TypeFifo:
		err = syscall.Mknodat(parent, base, syscall.S_IFIFO|0o600, 0)
	}
	if err != nil {
		return err
	}
	fd, err := linux.OpenAt(parent, base, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return e.attributes(fd, header)
}

// kindAt returns the kind of what a directory has by a name; 0 for nothing.
func kindAt(dir int, name string) (uint32, error) {
	fd, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOENT) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	err = syscall.Fstat(fd, &stat)
	return stat.Mode & syscall.S_IFMT, err
}

// remove removes what is to be replaced, a directory with all that it has. It enters no other
// mount, and removes nothing that has one on it.
func (e *extraction) remove(dir int, name string, isDir bool) error {
	if !isDir {
		return e.run(func() error { return syscall.Unlinkat(dir, name) })
	}
	err := e.removeDirectory(dir, name)
	if errors.Is(err, syscall.EXDEV) {
		return syscall.EBUSY
	}
	return err
}

func (e *extraction) removeDirectory(dir int, name string) error {
	fd, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, plain|linux.NoCrossing)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := tree.Empty(fd, e.run); err != nil {
		return err
	}
	return e.run(func() error { return linux.RemoveDirectoryAt(dir, name) })
}

// hardLink links to a file that an earlier entry made, or that the directory had.
func (e *extraction) hardLink(header *tar.Header, parent int, base string) error {
	target := path.Clean(strings.TrimLeft(header.Linkname, "/"))
	from, err := linux.OpenAt(e.into, path.Dir(target), linux.OPath|syscall.O_DIRECTORY, 0, e.walk)
	if err != nil {
		return err
	}
	defer syscall.Close(from)
	err = linux.LinkAt(from, path.Base(target), parent, base)
	if errors.Is(err, syscall.EXDEV) {
		return &Error{CodeInvalid, "cannot link to " + strconv.Quote(e.at(target)) + ": it is in another mount"}
	}
	return err
}

// directory gives a directory its attributes; its time when all that it has was extracted.
func (e *extraction) directory(header *tar.Header, parent int, name string) error {
	fd, err := linux.OpenAt(parent, path.Base(name), linux.OPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, plain)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := e.attributes(fd, header); err != nil {
		return err
	}
	return e.times.enter(name, header.ModTime)
}
