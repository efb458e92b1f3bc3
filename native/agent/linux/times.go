package linux

import (
	"syscall"
	"unsafe"
)

// The parts of struct statx that are used.
type statx struct {
	_        [112]byte
	modified struct {
		seconds     int64
		nanoseconds uint32
		_           int32
	}
	_ [128]byte
}

// FreshModified returns when a file was modified last, as its filesystem's server has it now. fd
// may be open with OPath.
func FreshModified(fd int) (syscall.Timespec, error) {
	const (
		forceSync = 0x2000
		mtime     = 0x40
	)
	var empty byte
	var found statx
	_, errno := call(sysStatx, uintptr(fd), uintptr(unsafe.Pointer(&empty)), atEmptyPath|forceSync, mtime, uintptr(unsafe.Pointer(&found)), 0)
	if errno != 0 {
		return syscall.Timespec{}, failed("statx", "", errno)
	}
	return syscall.Timespec{Sec: found.modified.seconds, Nsec: int64(found.modified.nanoseconds)}, nil
}

// SetModified sets when a file was modified last, and leaves the time of the last access alone. fd
// may be open with OPath.
func SetModified(fd int, modified syscall.Timespec) error {
	const omit = 1<<30 - 2
	var empty byte
	times := [2]syscall.Timespec{{Nsec: omit}, modified}
	_, errno := call(syscall.SYS_UTIMENSAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&times)), atEmptyPath, 0, 0)
	return failed("utimensat", "", errno)
}
