// Package tree copies and empties directories that may be hostile: it follows no link, and enters
// no other mount.
package tree

import (
	"errors"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// withinTree bounds how a path below a directory is opened in a tree that may be hostile: it
// follows no link, and enters no other mount.
const withinTree = linux.Beneath | linux.NoSymlinks | linux.NoMagicLinks | linux.NoCrossing

// OpenDirectory opens a directory of a tree to read its names.
func OpenDirectory(dir int, name string) (int, error) {
	return linux.OpenAt(dir, name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0, withinTree)
}

// ReadNames reads the next names of a directory, as many as fit the buffer. It returns none at the
// end.
func ReadNames(dir int, buffer []byte) ([]string, error) {
	for {
		n, err := syscall.ReadDirent(dir, buffer)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, _, names := syscall.ParseDirent(buffer[:n], -1, nil)
		if n == 0 || len(names) > 0 {
			return names, nil
		}
	}
}

// StepError says which step failed.
func StepError(step string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	return &linux.Error{Op: step, Errno: errno}
}

// ByDescriptor returns a path, in the agent's own /proc, to the file that a descriptor is open on.
// It is for system calls that take no descriptor which is open with OPath. If that file is a
// symbolic link, they change the link itself.
func ByDescriptor(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }

// Error names the file at which a copy or a removal failed.
type Error struct {
	// Op is copy or remove.
	Op string
	// Path is relative to the directory that was copied or emptied.
	Path  string
	Cause error
}

// Error names the file and the cause.
func (e *Error) Error() string { return e.Op + " " + strconv.Quote(e.Path) + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
