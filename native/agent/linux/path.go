package linux

import (
	"syscall"
	"unsafe"
)

// How openat2 walks a path.
const (
	NoCrossing   uint64 = 0x1
	NoMagicLinks uint64 = 0x2
	NoSymlinks   uint64 = 0x4
	Beneath      uint64 = 0x8
	InRoot       uint64 = 0x10
)

// OPath opens a name without opening what it names.
const OPath = 0x200000

type openHow struct{ flags, mode, resolve uint64 }

// OpenAt opens path below dir; resolve bounds the walk. O_CLOEXEC is implied.
func OpenAt(dir int, path string, flags int, mode uint32, resolve uint64) (int, error) {
	name, err := cstring(path)
	if err != nil {
		return -1, err
	}
	how := openHow{flags: uint64(flags | syscall.O_CLOEXEC), mode: uint64(mode), resolve: resolve}
	for {
		fd, errno := call(sysOpenat2, uintptr(dir), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		// Someone renamed a directory of the path meanwhile; the kernel asks to walk again.
		if errno == syscall.EAGAIN {
			continue
		}
		if errno != 0 {
			return -1, failed("open", path, errno)
		}
		return int(fd), nil
	}
}

// Executable says whether the calling thread's effective user may execute path.
func Executable(path string) syscall.Errno {
	const (
		atFdcwd   = -0x64
		atEaccess = 0x200
		xOK       = 1
	)
	name, err := cstring(path)
	if err != nil {
		return syscall.EINVAL
	}
	dir := atFdcwd
	_, errno := call(sysFaccessat2, uintptr(dir), uintptr(unsafe.Pointer(name)), xOK, atEaccess, 0, 0)
	return errno
}

// ReadLink reads the target of the symbolic link that fd is open on (with OPath).
func ReadLink(fd int) (string, error) {
	var empty byte
	buffer := make([]byte, 4096)
	n, errno := call(syscall.SYS_READLINKAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), 0, 0)
	if errno != 0 {
		return "", failed("readlink", "", errno)
	}
	return string(buffer[:n]), nil
}

// ReadFile reads a regular file below dir of at most limit bytes; a larger one is EFBIG, another
// kind EINVAL.
func ReadFile(dir int, path string, resolve uint64, limit int) ([]byte, error) {
	// Without O_NONBLOCK, opening a FIFO of that name would block.
	fd, err := OpenAt(dir, path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0, resolve)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, failed("stat", path, err.(syscall.Errno))
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, failed("read", path, syscall.EINVAL)
	}
	content := make([]byte, 0, 4096)
	for {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := syscall.Read(fd, content[len(content):cap(content)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, failed("read", path, err.(syscall.Errno))
		}
		if n == 0 {
			return content, nil
		}
		content = content[:len(content)+n]
		if len(content) > limit {
			return nil, failed("read", path, syscall.EFBIG)
		}
	}
}

// SymlinkAt makes a symbolic link below dir.
func SymlinkAt(target string, dir int, name string) error {
	to, err := cstring(target)
	if err != nil {
		return err
	}
	link, err := cstring(name)
	if err != nil {
		return err
	}
	_, errno := call(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(to)), uintptr(dir), uintptr(unsafe.Pointer(link)), 0, 0, 0)
	return failed("symlink", name, errno)
}

// CloseOnExecFrom marks every descriptor from a number on.
func CloseOnExecFrom(first int) error {
	const (
		last              = ^uint32(0)
		closeRangeCloexec = 4
	)
	_, errno := call(sysCloseRange, uintptr(first), uintptr(last), closeRangeCloexec, 0, 0, 0)
	return failed("close_range", "", errno)
}
