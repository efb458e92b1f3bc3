package linux

import (
	"runtime"
	"syscall"
	"unsafe"
)

const (
	prSetDumpable   = 4
	prCapbsetDrop   = 24
	prSetNoNewPrivs = 38
	prCapAmbient    = 47

	prCapAmbientClearAll = 4

	seccompSetModeFilter = 1
)

func prctl(name string, a, b, c uintptr) error {
	_, errno := call(syscall.SYS_PRCTL, a, b, c, 0, 0, 0)
	return failed("prctl", name, errno)
}

// SetUndumpable bars others from tracing this process and from its /proc files, unless they hold
// CAP_SYS_PTRACE.
func SetUndumpable() error { return prctl("PR_SET_DUMPABLE", prSetDumpable, 0, 0) }

// SetNoNewPrivileges is final for the thread and what it executes.
func SetNoNewPrivileges() error { return prctl("PR_SET_NO_NEW_PRIVS", prSetNoNewPrivs, 1, 0) }

// DropBounding removes one capability from the bounding set; EINVAL where the kernel does not know
// it.
func DropBounding(capability int) error {
	return prctl("PR_CAPBSET_DROP", prCapbsetDrop, uintptr(capability), 0)
}

// ClearAmbient empties the ambient set.
func ClearAmbient() error {
	return prctl("PR_CAP_AMBIENT", prCapAmbient, prCapAmbientClearAll, 0)
}

// SetCapabilities sets the thread's effective and permitted set; its inheritable set becomes empty.
func SetCapabilities(set uint64) error {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	data := [2]struct{ effective, permitted, inheritable uint32 }{
		{effective: uint32(set), permitted: uint32(set)},
		{effective: uint32(set >> 32), permitted: uint32(set >> 32)},
	}
	_, errno := call(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0, 0, 0, 0)
	return failed("capset", "", errno)
}

// Permitted returns the permitted set of the thread.
func Permitted() (uint64, error) {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	_, errno := call(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0, 0, 0, 0)
	return uint64(data[1].permitted)<<32 | uint64(data[0].permitted), failed("capget", "", errno)
}

// SetCredentials makes the thread, and only the thread, run as a user. Package syscall would change
// every thread of the process.
func SetCredentials(uid, gid uint32, groups []uint32) error {
	var first *uint32
	if len(groups) > 0 {
		first = &groups[0]
	}
	if _, errno := call(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(first)), 0, 0, 0, 0); errno != 0 {
		return failed("setgroups", "", errno)
	}
	runtime.KeepAlive(groups)
	if _, errno := call(syscall.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid), 0, 0, 0); errno != 0 {
		return failed("setresgid", "", errno)
	}
	_, errno := call(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid), 0, 0, 0)
	return failed("setresuid", "", errno)
}

// Instruction is an instruction of classic BPF, struct sock_filter.
type Instruction struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// SetFilter installs a seccomp filter on the thread, with flags of linux/seccomp.h.
func SetFilter(program []Instruction, flags uint32) error {
	descriptor := struct {
		length uint16
		filter *Instruction
	}{uint16(len(program)), &program[0]}
	_, errno := call(sysSeccomp, seccompSetModeFilter, uintptr(flags), uintptr(unsafe.Pointer(&descriptor)), 0, 0, 0)
	runtime.KeepAlive(program)
	return failed("seccomp", "", errno)
}

// NewSessionKeyring gives the thread an empty session keyring of its own.
func NewSessionKeyring() error {
	const joinSession = 1
	_, errno := call(sysKeyctl, joinSession, 0, 0, 0, 0, 0)
	if errno == syscall.ENOSYS {
		return nil
	}
	return failed("keyctl", "", errno)
}

// Unshare gives the thread new namespaces.
func Unshare(flags uintptr) error {
	_, errno := call(syscall.SYS_UNSHARE, flags, 0, 0, 0, 0, 0)
	return failed("unshare", "", errno)
}

// namespaceName is that of /proc/PID/ns.
func namespaceName(kind uintptr) string {
	switch kind {
	case syscall.CLONE_NEWCGROUP:
		return "cgroup"
	case syscall.CLONE_NEWIPC:
		return "ipc"
	case syscall.CLONE_NEWNET:
		return "net"
	case syscall.CLONE_NEWNS:
		return "mnt"
	case syscall.CLONE_NEWPID:
		return "pid"
	case syscall.CLONE_NEWUTS:
		return "uts"
	default:
		return ""
	}
}

// SetNamespace moves the thread into the namespace that fd is open on. Its errors name the kind.
func SetNamespace(fd int, kind uintptr) error {
	_, errno := call(sysSetns, uintptr(fd), kind, 0, 0, 0, 0)
	return failed("setns", namespaceName(kind), errno)
}

// LoadModule loads the kernel module that fd is open on.
func LoadModule(fd int) error {
	var parameters byte
	_, errno := call(sysFinitModule, uintptr(fd), uintptr(unsafe.Pointer(&parameters)), 0, 0, 0, 0)
	return failed("finit_module", "", errno)
}

// Pipe makes a pipe whose ends are closed on exec.
func Pipe() (read, write int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return -1, -1, failed("pipe", "", err.(syscall.Errno))
	}
	return ends[0], ends[1], nil
}

// Ioctl passes a pointer to a device.
func Ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	_, errno := call(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument), 0, 0, 0)
	return failed("ioctl", "", errno)
}

// RaiseLimit raises the hard limit of a resource of this process where it is lower, behind the back
// of package syscall, which would restore its own.
func RaiseLimit(resource int, hard uint64) error {
	var limit syscall.Rlimit
	if _, errno := call(syscall.SYS_PRLIMIT64, 0, uintptr(resource), 0, uintptr(unsafe.Pointer(&limit)), 0, 0); errno != 0 {
		return failed("prlimit", "", errno)
	}
	if limit.Max >= hard {
		return nil
	}
	limit.Max = hard
	_, errno := call(syscall.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	return failed("prlimit", "", errno)
}

// SetLimit sets both limits of a resource of this process, in the same way.
func SetLimit(resource int, value uint64) error {
	limit := syscall.Rlimit{Cur: value, Max: value}
	_, errno := call(syscall.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	return failed("prlimit", "", errno)
}
