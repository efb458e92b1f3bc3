package linux

import (
	"runtime"
	"syscall"
	"unsafe"
)

// Commands and types of bpf(2), linux/bpf.h.
const (
	bpfProgLoad   = 5
	bpfProgAttach = 8

	bpfProgTypeCgroupDevice  = 15
	bpfProgTypeCgroupAddress = 18
	bpfCgroupDevice          = 6
	// bpfAllowMulti lets programs of groups below decide too. All of them have to permit.
	bpfAllowMulti = 2

	bpfInstruction = 8

	loadAttempts = 100
)

// loadAttributes is the part of union bpf_attr for a program.
type loadAttributes struct {
	kind, count  uint32
	instructions *byte
	license      *byte
	logLevel     uint32
	logSize      uint32
	logBuffer    uint64
	version      uint32
	flags        uint32
	name         [16]byte
	device       uint32
	attach       uint32
}

// attachAttributes is the part of union bpf_attr for where a program is attached.
type attachAttributes struct{ target, program, kind, flags uint32 }

// AddressHook is where a program can replace the address of a socket's peer.
type AddressHook uint32

// Hooks: before a socket connects or sends to an address, and when a program is told of the
// address that something came from, or that a socket is connected to. IPv4 in the form of IPv6 is
// sent to as IPv4.
const (
	Connect4  AddressHook = 10
	Connect6  AddressHook = 11
	Send4     AddressHook = 14
	Receive4  AddressHook = 19
	Receive6  AddressHook = 20
	PeerName4 AddressHook = 29
	PeerName6 AddressHook = 30
)

// FilterDevices has the kernel ask a program what devices the processes of a control group, an open
// directory, may open and make. It cannot be taken back.
func FilterDevices(group int, program []byte) error {
	return attachProgram(group, bpfProgTypeCgroupDevice, bpfCgroupDevice, program, "the filter of devices")
}

// RewriteAddresses has a program see the addresses of the sockets that processes of a control group
// make. It cannot be taken back.
func RewriteAddresses(group int, hook AddressHook, program []byte) error {
	return attachProgram(group, bpfProgTypeCgroupAddress, uint32(hook), program, "the program for addresses")
}

func attachProgram(group int, kind, hook uint32, program []byte, name string) error {
	load := loadAttributes{
		kind: kind, count: uint32(len(program) / bpfInstruction),
		instructions: unsafe.SliceData(program), license: new(byte), attach: hook,
	}
	var fd uintptr
	var errno syscall.Errno
	// The kernel gives up on a program where a signal, such as one of the Go scheduler's, arrives
	// while it checks it.
	for attempt := 0; attempt == 0 || errno == syscall.EAGAIN && attempt < loadAttempts; attempt++ {
		fd, errno = call(sysBpf, bpfProgLoad, uintptr(unsafe.Pointer(&load)), unsafe.Sizeof(load), 0, 0, 0)
	}
	runtime.KeepAlive(load)
	if errno != 0 {
		return failed("load", name, errno)
	}
	defer syscall.Close(int(fd))
	attach := attachAttributes{uint32(group), uint32(fd), hook, bpfAllowMulti}
	_, errno = call(sysBpf, bpfProgAttach, uintptr(unsafe.Pointer(&attach)), unsafe.Sizeof(attach), 0, 0, 0)
	return failed("attach", name, errno)
}
