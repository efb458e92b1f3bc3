package linux

import (
	"syscall"
	"unsafe"
)

const (
	// soNetnsCookie is an option of a socket, asm-generic/socket.h.
	soNetnsCookie = 71
	// siocgskns is a request of a socket, linux/sockios.h.
	siocgskns = 0x894c
)

// NetworkCookie returns the number that the kernel knows the network namespace of a socket by. No
// two have the same.
func NetworkCookie(socket int) (uint64, error) {
	var cookie uint64
	size := uint32(unsafe.Sizeof(cookie))
	_, errno := call(syscall.SYS_GETSOCKOPT, uintptr(socket), syscall.SOL_SOCKET, soNetnsCookie, uintptr(unsafe.Pointer(&cookie)), uintptr(unsafe.Pointer(&size)), 0)
	return cookie, failed("getsockopt", "SO_NETNS_COOKIE", errno)
}

// NetworkNamespace returns a descriptor of the network namespace of a socket.
func NetworkNamespace(socket int) (int, error) {
	fd, errno := call(syscall.SYS_IOCTL, uintptr(socket), siocgskns, 0, 0, 0, 0)
	return int(fd), failed("ioctl", "SIOCGSKNS", errno)
}
