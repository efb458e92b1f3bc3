package linux

import (
	"syscall"
	"unsafe"
)

// soNetnsCookie is an option of a socket, asm-generic/socket.h.
const soNetnsCookie = 71

// NetworkCookie returns the number that the kernel knows the network namespace of a socket by. No
// two have the same.
func NetworkCookie(socket int) (uint64, error) {
	var cookie uint64
	size := uint32(unsafe.Sizeof(cookie))
	_, errno := call(syscall.SYS_GETSOCKOPT, uintptr(socket), syscall.SOL_SOCKET, soNetnsCookie, uintptr(unsafe.Pointer(&cookie)), uintptr(unsafe.Pointer(&size)), 0)
	return cookie, failed("getsockopt", "SO_NETNS_COOKIE", errno)
}
