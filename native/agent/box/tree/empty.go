package tree

import (
	"errors"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// namesBuffer holds some hundred names of a directory.
const namesBuffer = 32 << 10

// Runner runs what removes or replaces a name, on a thread whose mount namespace decides. Where
// something is mounted on the name in that namespace, the kernel refuses it (EBUSY). What is
// mounted there in other namespaces alone is unmounted with the name.
type Runner func(work func() error) error

// Here runs it on the calling thread.
func Here(work func() error) error { return work() }

// emptier removes what a directory, the root, has. Before it removes a directory there, it moves
// that one's own directories into the root. So a deep tree takes neither memory, nor descriptors,
// nor long paths.
type emptier struct {
	root   int
	run    Runner
	moved  int
	buffer [namesBuffer]byte
}

// Empty removes all that a directory has, and keeps the directory.
func Empty(root int, run Runner) error {
	e := &emptier{root: root, run: run}
	for {
		names, err := e.someNames(root)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := e.remove(name); err != nil {
				return &Error{"remove", name, err}
			}
		}
	}
}

// someNames reads names from the start of a directory again, since names were removed from it.
func (e *emptier) someNames(dir int) ([]string, error) {
	fd, err := OpenDirectory(dir, ".")
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	names, err := ReadNames(fd, e.buffer[:])
	return names, StepError("read the directory", err)
}

// remove removes what the root has by that name.
func (e *emptier) remove(name string) error {
	err := e.removeAt(e.root, name)
	if !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	dir, err := OpenWritable(e.root, name)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	for {
		names, err := e.someNames(dir)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return e.removeAt(e.root, name)
		}
		for _, child := range names {
			if err := e.removeChild(dir, child); err != nil {
				return err
			}
		}
	}
}

// removeChild removes what a directory has by a name, or moves it into the root if it is a
// directory that is not empty.
func (e *emptier) removeChild(dir int, name string) error {
	err := e.removeAt(dir, name)
	if !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	// Moving a directory needs the right to write to it.
	child, err := OpenWritable(dir, name)
	if err != nil {
		return err
	}
	if err := syscall.Close(child); err != nil {
		return StepError("close", err)
	}
	for {
		e.moved++
		err := e.run(func() error { return syscall.Renameat(dir, name, e.root, ".moved-"+strconv.Itoa(e.moved)) })
		switch err {
		case nil:
			return nil
		case syscall.ENOTEMPTY, syscall.EEXIST, syscall.ENOTDIR:
			// The root has that name already.
		default:
			return StepError("move", err)
		}
	}
}

// removeAt removes a file or an empty directory.
func (e *emptier) removeAt(dir int, name string) error {
	return e.run(func() error {
		err := syscall.Unlinkat(dir, name)
		if err == syscall.EISDIR {
			return linux.RemoveDirectoryAt(dir, name)
		}
		return StepError("unlink", err)
	})
}

// OpenWritable opens a directory to remove entries from it. The file server of an ordinary user
// needs a mode that permits that.
func OpenWritable(dir int, name string) (int, error) {
	place, err := linux.OpenAt(dir, name, linux.OPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, withinTree)
	if err != nil {
		return -1, err
	}
	defer syscall.Close(place)
	var stat syscall.Stat_t
	if err := syscall.Fstat(place, &stat); err != nil {
		return -1, StepError("stat", err)
	}
	if stat.Mode&syscall.S_IRWXU != syscall.S_IRWXU {
		if err := syscall.Chmod(ByDescriptor(place), stat.Mode&0o7777|syscall.S_IRWXU); err != nil {
			return -1, StepError("chmod", err)
		}
	}
	return OpenDirectory(place, ".")
}
