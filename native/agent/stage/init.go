package stage

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"a3s.dev/box/agent/linux"
)

// initBounds says where the code of process 1 is in memory.
func initBounds() (start, end uintptr)

// Where the parts of the init's image are in its one segment, as init_amd64.s and init_arm64.s have
// them.
const (
	imageBase = 0x400000
	imagePid  = 64 + 2*56
	imageName = imagePid + 8
	imageCode = imageName + 8
)

// newInitImage is the program that becomes process 1 of a box and the parent of its main process.
// It is complete except for the child's id: a few hundred bytes without a library. A process of Go
// would have several threads, which the box's limits would count, and need more memory and address
// space than a workload may be left.
func newInitImage() []byte {
	start, end := initBounds()
	code := unsafe.Slice((*byte)(pointer(start)), end-start)
	size := uint64(imageCode + len(code))
	image := make([]byte, 0, size)
	// The header of a 64-bit, little-endian executable.
	image = append(image, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	image = binary.LittleEndian.AppendUint16(image, 2)
	image = binary.LittleEndian.AppendUint16(image, elfMachine)
	image = binary.LittleEndian.AppendUint32(image, 1)
	for _, n := range []uint64{imageBase + imageCode, 64, 0} {
		image = binary.LittleEndian.AppendUint64(image, n)
	}
	image = binary.LittleEndian.AppendUint32(image, 0)
	for _, n := range []uint16{64, 56, 2, 0, 0, 0} {
		image = binary.LittleEndian.AppendUint16(image, n)
	}
	const load, stack, executable, writable, readable = 1, 0x6474e551, 1, 2, 4
	image = appendSegment(image, load, readable|executable, imageBase, size, 4096)
	image = appendSegment(image, stack, readable|writable, 0, 0, 16)
	image = append(image, make([]byte, imageName-imagePid)...)
	image = append(image, "init\x00\x00\x00\x00"...)
	return append(image, code...)
}

// noChild is above the kernel's largest id of a process, 2^22.
const noChild = 1 << 30

// Reaper is the program that is process 1 of a PID namespace in which others start processes: it
// reaps those that have lost their parents, and never ends.
func Reaper() []byte {
	image := newInitImage()
	binary.LittleEndian.PutUint32(image[imagePid:], noChild)
	return image
}

// appendSegment appends an entry of the program's table.
func appendSegment(image []byte, kind, flags uint32, address, size, alignment uint64) []byte {
	image = binary.LittleEndian.AppendUint32(image, kind)
	image = binary.LittleEndian.AppendUint32(image, flags)
	for _, n := range []uint64{0, address, address, size, size, alignment} {
		image = binary.LittleEndian.AppendUint64(image, n)
	}
	return image
}

// pointer is an address that the linker gave, not one that the garbage collector has to know of.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// prepareInit opens the image, and has the arguments that show what it is the init of.
func (l *launch) prepareInit(args []string) (err error) {
	if l.image, err = linux.Memory("init", newInitImage()); err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(append([]string{"/dev/init", "--"}, args...))
	if err != nil {
		return err
	}
	l.initArgv = &argv[0]
	return nil
}

// becomeInit starts the workload in a child of this process, which is process 1 of the box, and
// turns this process into the init. Like become it returns only when it cannot, after it has
// written the reason to the agent.
//
//go:norace
//go:noinline
//go:nosplit
func becomeInit(l *launch) {
	const emptyPath = 0x1000
	all := ^uint64(0)
	// They stay blocked for the init, which waits for them.
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&all)), 0, 8, 0, 0)
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		fail(l, StepFork, errno)
		return
	}
	if pid == 0 {
		become(l)
		for {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 255, 0, 0)
		}
	}
	l.child = uint32(pid)
	_, _, errno = syscall.RawSyscall6(syscall.SYS_PWRITE64, uintptr(l.image), uintptr(unsafe.Pointer(&l.child)), 4, imagePid, 0, 0)
	if errno != 0 {
		fail(l, StepInit, errno)
		return
	}
	if errno := setLimits(l); errno != 0 {
		fail(l, StepLimits, errno)
		return
	}
	// Neither the console nor anything of the workload's stays open here.
	for fd := uintptr(0); fd < uintptr(len(l.fds)); fd++ {
		syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
	_, _, errno = syscall.RawSyscall6(sysExecveat, uintptr(l.image), uintptr(unsafe.Pointer(&l.zero[1])),
		uintptr(unsafe.Pointer(l.initArgv)), uintptr(unsafe.Pointer(&l.none)), emptyPath, 0)
	fail(l, StepInit, errno)
}
