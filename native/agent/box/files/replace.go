package files

import (
	"archive/tar"
	"errors"
	"io"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// partialName begins the names of files that are not complete yet.
const partialName = ".a3s-box-cp-"

// file writes a regular file beside its place, and moves it there when it is complete: a copy that
// fails, for example on a full disk, leaves the older file as it was.
func (e *extraction) file(archive *tar.Reader, header *tar.Header, parent int, base string, overDirectory bool) error {
	partial, fd, err := createPartial(parent)
	if err != nil {
		return err
	}
	err = e.content(archive, fd)
	if err == nil {
		err = e.attributes(fd, header)
	}
	// A file server reports errors of writes here too.
	err = errors.Join(err, syscall.Close(fd))
	if err == nil && overDirectory {
		err = e.remove(parent, base, true)
	}
	if err == nil {
		if err = e.run(func() error { return syscall.Renameat(parent, partial, parent, base) }); err == nil {
			return nil
		}
	}
	return errors.Join(err, syscall.Unlinkat(parent, partial))
}

func createPartial(parent int) (string, int, error) {
	for {
		var random [8]byte
		if _, err := linux.Random(random[:]); err != nil {
			return "", -1, err
		}
		var number uint64
		for _, b := range random {
			number = number<<8 | uint64(b)
		}
		name := partialName + strconv.FormatUint(number, 36)
		fd, err := linux.OpenAt(parent, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600, plain)
		if errors.Is(err, syscall.EEXIST) {
			continue
		}
		return name, fd, err
	}
}

// content writes what the archive has for the file. Its size was not believed before that.
func (e *extraction) content(archive *tar.Reader, to int) error {
	for {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		n, err := archive.Read(e.buffer)
		for written := 0; written < n; {
			m, err := syscall.Write(to, e.buffer[written:n])
			if err != nil && err != syscall.EINTR {
				return err
			}
			written += max(m, 0)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return archiveError(err)
		}
	}
}
