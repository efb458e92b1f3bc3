package linux

import (
	"syscall"
	"unsafe"
)

// Of linux/vm_sockets.h.
const (
	afVsock = 40
	anyCID  = 0xffffffff
	// HostCID is the address of the host.
	HostCID = 2
)

// vsockAddress is a struct sockaddr_vm.
type vsockAddress struct {
	family   uint16
	reserved uint16
	port     uint32
	cid      uint32
	rest     [4]uint8
}

// ListenVsock returns a socket that listens on a vsock port, and does not block.
func ListenVsock(port uint32) (int, error) {
	socket, err := syscall.Socket(afVsock, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	address := vsockAddress{family: afVsock, port: port, cid: anyCID}
	_, errno := call(syscall.SYS_BIND, uintptr(socket), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address), 0, 0, 0)
	if err = failed("bind", "a vsock port", errno); err == nil {
		err = syscall.Listen(socket, 8)
	}
	if err != nil {
		syscall.Close(socket)
		return -1, err
	}
	return socket, nil
}

// AcceptVsock returns a connection to a listening socket, which does not block, and the address
// that it comes from.
func AcceptVsock(socket int) (connection int, cid uint32, err error) {
	var peer vsockAddress
	size := uint32(unsafe.Sizeof(peer))
	fd, errno := call(syscall.SYS_ACCEPT4, uintptr(socket), uintptr(unsafe.Pointer(&peer)), uintptr(unsafe.Pointer(&size)), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0, 0)
	if errno != 0 {
		return -1, 0, errno
	}
	return int(fd), peer.cid, nil
}
