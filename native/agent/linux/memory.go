package linux

import "syscall"

const (
	mfdCloexec      = 1
	mfdAllowSealing = 2

	fAddSeals = 1033
	// seals bars shrinking, growing, writing, and the removal of seals.
	seals = 1 | 2 | 4 | 8
)

func memory(name string) (int, error) {
	label, err := cstring(name)
	if err != nil {
		return -1, err
	}
	fd, errno := call(sysMemfdCreate, address(label), mfdCloexec|mfdAllowSealing, 0, 0, 0, 0)
	return int(fd), failed("memfd_create", name, errno)
}

// SealedCopy copies a file into memory that nobody can change, and returns a descriptor that can be executed.
func SealedCopy(name string, source int) (int, error) {
	const chunk = 1 << 20
	fd, err := memory(name)
	if err != nil {
		return -1, err
	}
	for {
		n, err := syscall.Sendfile(fd, source, nil, chunk)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			syscall.Close(fd)
			return -1, failed("sendfile", name, err.(syscall.Errno))
		}
		if n == 0 {
			break
		}
	}
	if _, errno := call(syscall.SYS_FCNTL, uintptr(fd), fAddSeals, seals, 0, 0, 0); errno != 0 {
		syscall.Close(fd)
		return -1, failed("seal", name, errno)
	}
	return fd, nil
}

// Memory puts data into an anonymous file, to be read from its start.
func Memory(name string, data []byte) (int, error) {
	fd, err := memory(name)
	if err != nil {
		return -1, err
	}
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
