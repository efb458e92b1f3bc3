package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// Names that a layer of an OCI image gives a meaning of their own: the image specification,
// "Whiteouts".
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
)

// layerWriter writes the upper directory of an overlay as a layer.
type layerWriter struct {
	*archiver
	lower rootdir.Root
	// root is the header of the root, until the first entry is written after it.
	root *tar.Header
}

// Layer writes the difference between an overlay's upper directory and the layers below it as a
// layer of an OCI image, after `begin` was called. Entries are in order of name, so that equal
// files give equal bytes. A box that has changed nothing gives an archive without entries.
//
// A name that begins with `.wh.` would mean a removed file to every reader of the layer. It is
// refused, before `begin` where the files do not change meanwhile.
func Layer(ctx context.Context, upper int, lower rootdir.Root, begin func() io.Writer) error {
	if err := checkNames(ctx, upper, "/", 1); err != nil {
		return err
	}
	w := &layerWriter{newArchiver(ctx, begin()), lower, nil}
	if err := w.readRoot(upper); err != nil {
		return err
	}
	if err := w.directory(upper, "", false, 1); err != nil {
		return err
	}
	return w.writer.Close()
}

// checkNames refuses what no layer can hold.
func checkNames(ctx context.Context, dir int, at string, depth int) error {
	fd, err := openDirectory(dir, at, depth)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	names, err := sortedNames(fd, at)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := errors.Join(ctx.Err(), checkName(name, at)); err != nil {
			return err
		}
		kind, err := kindAt(fd, name)
		if err != nil {
			return err
		}
		if kind != syscall.S_IFDIR {
			continue
		}
		child, err := linux.OpenAt(fd, name, linux.OPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, plain)
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return pathErrno("open", path.Join(at, name), err)
		}
		err = checkNames(ctx, child, path.Join(at, name), depth+1)
		syscall.Close(child)
		if err != nil {
			return err
		}
	}
	return nil
}

func checkName(name, at string) error {
	if strings.HasPrefix(name, whiteoutPrefix) {
		return &Error{CodeInvalid, path.Join(at, name) + " cannot be in a layer: names that begin with " + whiteoutPrefix + " mean removed files there"}
	}
	return nil
}

// openDirectory opens for reading what is open with OPath.
func openDirectory(dir int, at string, depth int) (int, error) {
	if depth > maxDepth {
		return -1, &Error{CodeInvalid, "more than " + strconv.Itoa(maxDepth) + " directories in each other at " + at}
	}
	fd, err := linux.OpenAt(dir, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0, plain)
	return fd, pathErrno("open", at, err)
}

// readRoot makes the header of the root. It is written at once where the box has changed the root
// itself. Otherwise it is written before the first entry: with it, each entry's directory is in the
// layer.
func (w *layerWriter) readRoot(upper int) error {
	var stat, below syscall.Stat_t
	if err := errors.Join(syscall.Fstat(upper, &stat), syscall.Fstat(w.lower.FD, &below)); err != nil {
		return pathErrno("stat", "/", err)
	}
	header, err := w.header(upper, ".", &stat)
	if err != nil {
		return err
	}
	w.root = header
	if stat.Mode == below.Mode && stat.Uid == below.Uid && stat.Gid == below.Gid {
		return nil
	}
	return w.begin()
}

// begin writes the root.
func (w *layerWriter) begin() error {
	header := w.root
	if header == nil {
		return nil
	}
	w.root = nil
	return w.writer.WriteHeader(header)
}

// directory writes what a directory has. `prefix` ends in `/`, or is empty. `alone`: the layers
// below have nothing in this directory that is to be seen.
func (w *layerWriter) directory(dir int, prefix string, alone bool, depth int) error {
	fd, err := openDirectory(dir, "/"+prefix, depth)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	names, err := sortedNames(fd, "/"+prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.entry(fd, name, prefix, alone, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *layerWriter) entry(dir int, name, prefix string, alone bool, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	fd, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_NOFOLLOW, 0, plain)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	at := "/" + prefix + name
	if err != nil {
		return pathErrno("open", at, err)
	}
	defer syscall.Close(fd)
	if err := checkName(name, "/"+prefix); err != nil {
		return err
	}
	var stat, below syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return pathErrno("stat", at, err)
	}
	existed := false
	if !alone {
		if below, existed, err = statBelow(w.lower, at); err != nil {
			return err
		}
	}
	if isWhiteout(&stat) {
		// Over nothing, it is of a file that the box made and removed.
		if !existed {
			return nil
		}
		return w.mark(prefix + whiteoutPrefix + name)
	}
	header, err := w.header(fd, prefix+name, &stat)
	if err != nil || header == nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeReg || header.Typeflag == tar.TypeDir {
		if err := addUserAttributes(header, fd, w.buffer); err != nil {
			return err
		}
	}
	if header.Typeflag == tar.TypeReg {
		return w.file(fd, header, &stat)
	}
	if err := w.writer.WriteHeader(header); err != nil || header.Typeflag != tar.TypeDir {
		return err
	}
	merged := existed && below.Mode&syscall.S_IFMT == syscall.S_IFDIR
	if merged && opaque(fd) {
		if err := w.mark(header.Name + opaqueMarker); err != nil {
			return err
		}
		merged = false
	}
	return w.directory(fd, header.Name, !merged, depth+1)
}

// mark writes an empty file whose name says what is removed.
func (w *layerWriter) mark(name string) error {
	if err := w.begin(); err != nil {
		return err
	}
	return w.writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Format: tar.FormatPAX})
}
