package files

import (
	"errors"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// byDescriptor returns a path, in the agent's own /proc, to the file that a descriptor is open on. It is for system calls that take no descriptor
// which is open with OPath. If that file is a symbolic link, they change the link itself.
func byDescriptor(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }

// readNames reads the next names of a directory, as many as fit the buffer; none at its end.
func readNames(dir int, buffer []byte) ([]string, error) {
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

// pathErrno names the path in an error of a system call.
func pathErrno(what, name string, err error) error {
	var errno syscall.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	if mapped := pathError(what+" "+name, errno); mapped != error(errno) {
		return mapped
	}
	return &linux.Error{Op: what, On: name, Errno: errno}
}
