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

	bpfProgTypeCgroupDevice = 15
	bpfCgroupDevice         = 6
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
}

// attachAttributes is the part of union bpf_attr for where a program is attached.
type attachAttributes struct{ target, program, kind, flags uint32 }

// FilterDevices has the kernel ask a program what devices the processes of a control group, an open
// directory, may open and make. It cannot be taken back.
func FilterDevices(group int, program []byte) error {
	load := loadAttributes{
		kind: bpfProgTypeCgroupDevice, count: uint32(len(program) / bpfInstruction),
		instructions: unsafe.SliceData(program), license: new(byte),
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
		return failed("load", "the filter of devices", errno)
	}
	defer syscall.Close(int(fd))
	attach := attachAttributes{uint32(group), uint32(fd), bpfCgroupDevice, bpfAllowMulti}
	_, errno = call(sysBpf, bpfProgAttach, uintptr(unsafe.Pointer(&attach)), unsafe.Sizeof(attach), 0, 0, 0)
	return failed("attach", "the filter of devices", errno)
}
