package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strconv"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

const (
	// maxDepth bounds the directories that are open at once.
	maxDepth = 512
	// maxSeen bounds the files with several links that are remembered; further ones are written as
	// files of their own.
	maxSeen = 1 << 16
	// namesBuffer holds some hundred names of a directory.
	namesBuffer = 16 << 10
	copyBuffer  = 64 << 10
)

// capabilityAttribute is the only extended attribute in Docker's archives.
const capabilityAttribute = "security.capability"

type inode struct{ device, number uint64 }

// link is the name under which a file with several links was written, and how many of them are
// missing.
type link struct {
	name    string
	missing uint64
}

// archiver writes the archive of one path. Files that are gone by the time they are reached are
// left out.
type archiver struct {
	ctx    context.Context
	writer *tar.Writer
	seen   map[inode]*link
	buffer []byte
}

// Archive writes what a path names as a tar archive, after `begin` was called with its description.
// Owners are the box's own numbers. Sockets are left out, as Docker does.
func (t Tree) Archive(ctx context.Context, text string, begin func(*Stat) (io.Writer, error)) error {
	p, err := parsePlace(text)
	if err != nil {
		return err
	}
	return t.archive(ctx, p, begin)
}

// Export writes the whole tree as `docker export` does: without the root itself, names relative.
func (t Tree) Export(ctx context.Context, to io.Writer) error {
	root, err := linux.OpenAt(t.Root.FD, ".", linux.OPath|syscall.O_DIRECTORY, 0, below)
	if err != nil {
		return err
	}
	defer syscall.Close(root)
	a := newArchiver(ctx, to)
	if err := a.children(root, "", 1); err != nil {
		return err
	}
	return a.writer.Close()
}

func newArchiver(ctx context.Context, to io.Writer) *archiver {
	return &archiver{ctx: ctx, writer: tar.NewWriter(to), seen: map[inode]*link{}, buffer: make([]byte, copyBuffer)}
}

func (t Tree) archive(ctx context.Context, p place, begin func(*Stat) (io.Writer, error)) error {
	fd, err := t.open(p)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	stat, err := t.stat(p, fd)
	if err != nil {
		return err
	}
	to, err := begin(stat)
	if err != nil {
		return err
	}
	a := newArchiver(ctx, to)
	if err := a.entry(fd, p.name, 1); err != nil {
		return err
	}
	return a.writer.Close()
}

// entry writes what a descriptor is open on with OPath, and all below it.
func (a *archiver) entry(fd int, name string, depth int) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return &Error{CodeInvalid, "more than " + strconv.Itoa(maxDepth) + " directories in each other at " + name}
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return pathErrno("stat", name, err)
	}
	header, err := a.header(fd, name, &stat)
	if err != nil || header == nil {
		return err
	}
	if header.Typeflag == tar.TypeReg {
		return a.file(fd, header, &stat)
	}
	if err := a.writer.WriteHeader(header); err != nil || header.Typeflag != tar.TypeDir {
		return err
	}
	return a.children(fd, header.Name, depth+1)
}

// header makes the header of a file; nil for a socket.
func (a *archiver) header(fd int, name string, stat *syscall.Stat_t) (*tar.Header, error) {
	header := &tar.Header{
		Name: name, Mode: int64(stat.Mode & 0o7777), Uid: int(stat.Uid), Gid: int(stat.Gid),
		// Whole seconds, as Docker has them.
		ModTime: time.Unix(stat.Mtim.Sec, 0), Format: tar.FormatPAX,
	}
	kind := stat.Mode & syscall.S_IFMT
	if kind != syscall.S_IFDIR && stat.Nlink > 1 && a.linked(header, stat) {
		return header, nil
	}
	var err error
	switch kind {
	case syscall.S_IFREG:
		header.Typeflag, header.Size = tar.TypeReg, stat.Size
		err = addCapability(header, fd)
	case syscall.S_IFDIR:
		header.Typeflag = tar.TypeDir
		if name != "/" {
			header.Name += "/"
		}
	case syscall.S_IFLNK:
		header.Typeflag = tar.TypeSymlink
		header.Linkname, err = linux.ReadLink(fd)
	case syscall.S_IFIFO:
		header.Typeflag = tar.TypeFifo
	case syscall.S_IFCHR, syscall.S_IFBLK:
		header.Typeflag = tar.TypeChar
		if kind == syscall.S_IFBLK {
			header.Typeflag = tar.TypeBlock
		}
		header.Devmajor, header.Devminor = int64(stat.Rdev>>8&0xfff), int64(stat.Rdev&0xff|stat.Rdev>>12&0xfff00)
	default:
		return nil, nil
	}
	return header, err
}

// linked turns the header of a file that was written under another name into a hard link to it.
func (a *archiver) linked(header *tar.Header, stat *syscall.Stat_t) bool {
	id := inode{stat.Dev, stat.Ino}
	first := a.seen[id]
	if first == nil {
		if len(a.seen) < maxSeen {
			a.seen[id] = &link{header.Name, uint64(stat.Nlink) - 1}
		}
		return false
	}
	if first.missing--; first.missing == 0 {
		delete(a.seen, id)
	}
	header.Typeflag, header.Linkname = tar.TypeLink, first.name
	return true
}

func addCapability(header *tar.Header, fd int) error {
	var value [256]byte
	n, err := syscall.Getxattr(tree.ByDescriptor(fd), capabilityAttribute, value[:])
	switch err {
	case nil:
		header.PAXRecords = map[string]string{paxAttribute + capabilityAttribute: string(value[:n])}
		return nil
	case syscall.ENODATA, syscall.EOPNOTSUPP:
		return nil
	default:
		return pathErrno("read the capabilities of", header.Name, err)
	}
}

// file writes a regular file. One that is shorter than it was breaks the archive off; what was
// added to it meanwhile is not in it.
func (a *archiver) file(fd int, header *tar.Header, stat *syscall.Stat_t) error {
	// By its descriptor it is the file that the header describes.
	from, err := syscall.Open(tree.ByDescriptor(fd), syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return pathErrno("open", header.Name, err)
	}
	defer syscall.Close(from)
	if err := a.writer.WriteHeader(header); err != nil {
		return err
	}
	for left := stat.Size; left > 0; {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		n, err := syscall.Read(from, a.buffer[:min(left, int64(len(a.buffer)))])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return pathErrno("read", header.Name, err)
		}
		if n == 0 {
			return &Error{CodeInvalid, header.Name + " became shorter while it was read"}
		}
		if _, err := a.writer.Write(a.buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// children writes what a directory has. `prefix` ends in `/`, or is empty.
func (a *archiver) children(dir int, prefix string, depth int) error {
	fd, err := linux.OpenAt(dir, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0, plain)
	if err != nil {
		return pathErrno("open", prefix, err)
	}
	defer syscall.Close(fd)
	buffer := make([]byte, namesBuffer)
	for {
		names, err := tree.ReadNames(fd, buffer)
		if err != nil {
			return pathErrno("read the directory", prefix, err)
		}
		if len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if err := a.child(fd, name, prefix, depth); err != nil {
				return err
			}
		}
	}
}

func (a *archiver) child(dir int, name, prefix string, depth int) error {
	fd, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return pathErrno("open", prefix+name, err)
	}
	defer syscall.Close(fd)
	return a.entry(fd, prefix+name, depth)
}
