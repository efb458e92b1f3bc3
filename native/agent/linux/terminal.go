package linux

import (
	"syscall"
	"unsafe"
)

const (
	ioctlSetWindowSize = 0x5414
	ioctlReadable      = 0x541b
	ioctlUnlock        = 0x40045431
	ioctlPeer          = 0x5441
)

// SetWindowSize sets the size of a terminal in character cells.
func SetWindowSize(fd int, rows, columns uint16) error {
	size := [4]uint16{rows, columns, 0, 0}
	return Ioctl(fd, ioctlSetWindowSize, unsafe.Pointer(&size))
}

// Readable counts the bytes that a read would not wait for.
func Readable(fd int) (int, error) {
	var n int32
	err := Ioctl(fd, ioctlReadable, unsafe.Pointer(&n))
	return int(n), err
}

// OpenTerminal opens a new pseudo-terminal of the devpts instance whose ptmx device is at path.
func OpenTerminal(path string) (master, slave int, err error) {
	// O_NONBLOCK: our end is polled, and a FIFO that a box put there does not block the open.
	master, err = OpenAt(-1, path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0, NoSymlinks)
	if err != nil {
		return -1, -1, err
	}
	var locked int32
	if err := Ioctl(master, ioctlUnlock, unsafe.Pointer(&locked)); err != nil {
		syscall.Close(master)
		return -1, -1, err
	}
	// The peer is opened by the kernel, not by a path that the box could have replaced.
	peer, errno := call(syscall.SYS_IOCTL, uintptr(master), ioctlPeer, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		syscall.Close(master)
		return -1, -1, failed("open the terminal of", path, errno)
	}
	return master, int(peer), nil
}
