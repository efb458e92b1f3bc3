package rootdir

import (
	"errors"
	"os"
	"syscall"
)

// ErrKernelFiles is a place at which a share would hide files of the kernel from the agent and the
// box.
var ErrKernelFiles = errors.New("it leads into /proc or /sys")

// RefuseKernelFiles refuses a mount point in proc or sysfs. The spec has no such destination, but a
// link of the image, or of a volume that another box writes to, may lead there.
func RefuseKernelFiles(fd int) error {
	const proc, sysfs = 0x9fa0, 0x62656572
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &stat); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if stat.Type == proc || stat.Type == sysfs {
		return ErrKernelFiles
	}
	return nil
}
