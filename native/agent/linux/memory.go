package linux

import (
	"syscall"
	"unsafe"
)

const mfdCloexec = 1

// Memory puts data into an anonymous file, to be read from its start.
func Memory(name string, data []byte) (int, error) {
	label, err := cstring(name)
	if err != nil {
		return -1, err
	}
	made, errno := call(sysMemfdCreate, uintptr(unsafe.Pointer(label)), mfdCloexec, 0, 0, 0, 0)
	if errno != 0 {
		return -1, failed("memfd_create", name, errno)
	}
	fd := int(made)
	for written := 0; written < len(data); {
		n, err := syscall.Pwrite(fd, data[written:], int64(written))
		if err != nil && err != syscall.EINTR {
			syscall.Close(fd)
			return -1, failed("write", name, err.(syscall.Errno))
		}
		written += max(n, 0)
	}
	return fd, nil
}
