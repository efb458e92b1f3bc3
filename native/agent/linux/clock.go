package linux

import (
	"syscall"
	"time"
	"unsafe"
)

const (
	sysClockGettime = syscall.SYS_CLOCK_GETTIME
	clockBoottime   = 7
)

// SinceBoot is how long the guest has been running, by its clock.
func SinceBoot() time.Duration {
	var now syscall.Timespec
	// It fails only for clocks and addresses that do not exist.
	_, _ = call(sysClockGettime, clockBoottime, uintptr(unsafe.Pointer(&now)), 0, 0, 0, 0)
	return time.Duration(now.Nano())
}
