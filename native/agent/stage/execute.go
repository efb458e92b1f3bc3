package stage

import (
	"syscall"
	"unsafe"
)

// Steps of become, for MessageFailed.
const (
	StepFork byte = iota
	StepCgroup
	StepSession
	StepTerminal
	StepStdio
	StepExecute
	StepLimits
	StepInit
)

// launch is all that the last steps need; nothing may be allocated after a fork.
type launch struct {
	path       *byte
	argv, envv **byte
	fds        [3]int
	terminal   bool
	// session: it gets one of its own. cgroup is open on what names the members of the control
	// group that it joins; -1: it is there already.
	session bool
	cgroup  int
	reply   int
	limits  [maxLimits]limit
	// Of process 1 that is an init.
	image    int
	initArgv **byte
	none     *byte
	child    uint32

	zero    [2]byte
	message [8]byte
	action  [4]uint64
	mask    uint64
}

// maxLimits is the number of resources that there are.
const maxLimits = 16

// limit is a Limit for a system call, where it is set.
type limit struct {
	set    bool
	values [2]uint64
}

// execute starts the program, and returns only when it could not.
func execute(request *ExecRequest, path string, stdio *stdio, cgroup int, reply reply) error {
	l := &launch{fds: stdio.fds, terminal: stdio.terminal, session: !request.Main || request.Init, cgroup: -1, reply: reply.fd, zero: [2]byte{'0'}}
	if !request.Main {
		l.cgroup = cgroup
	}
	for _, given := range request.Limits {
		if given.Resource < 0 || given.Resource >= maxLimits {
			return errRequest
		}
		l.limits[given.Resource] = limit{true, [2]uint64{given.Soft, given.Hard}}
	}
	var err error
	if l.path, err = syscall.BytePtrFromString(path); err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(request.Args)
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(request.Env)
	if err != nil {
		return err
	}
	l.argv, l.envv = &argv[0], &envv[0]
	if request.Main && request.Init {
		if err := l.prepareInit(request.Args); err != nil {
			return err
		}
	}
	if request.Main {
		if err := reply.ready(0); err != nil {
			return err
		}
		if request.Init {
			becomeInit(l)
		} else {
			become(l)
		}
		return nil
	}
	pid, errno := forkAndBecome(l)
	if errno != 0 {
		return &Refusal{SetupFailed, "fork: " + errno.Error()}
	}
	return reply.ready(int(pid))
}

// forkAndBecome starts the program in a child of the agent. The child has its own copy of this
// process's memory, so its work before execve cannot affect the agent; as in package syscall, it
// must not call into the scheduler, grow its stack or allocate.
//
//go:norace
//go:noinline
//go:nosplit
func forkAndBecome(l *launch) (uintptr, syscall.Errno) {
	all := ^uint64(0)
	old := uint64(0)
	// A signal handler of the Go runtime must not run in the child.
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, syscall.CLONE_PARENT|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		become(l)
		for {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 255, 0, 0)
		}
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	return pid, errno
}

const sigSetmask = 2

// become turns this process into the workload. It returns when it cannot, after it has written the
// reason to the agent.
//
//go:norace
//go:noinline
//go:nosplit
func become(l *launch) {
	const (
		ioctlSetControllingTerminal = 0x540e
		lastSignal                  = 64
	)
	// Main did both before it waited.
	if l.cgroup >= 0 {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.cgroup), uintptr(unsafe.Pointer(&l.zero)), 1); errno != 0 {
			fail(l, StepCgroup, errno)
			return
		}
	}
	if l.session {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0); errno != 0 {
			fail(l, StepSession, errno)
			return
		}
	}
	if l.terminal {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(l.fds[0]), ioctlSetControllingTerminal, 0); errno != 0 {
			fail(l, StepTerminal, errno)
			return
		}
	}
	for i := 0; i < len(l.fds); i++ {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_DUP3, uintptr(l.fds[i]), uintptr(i), 0); errno != 0 {
			fail(l, StepStdio, errno)
			return
		}
	}
	// Handlers end with execve, but "ignored" would stay. SIGKILL and SIGSTOP answer EINVAL.
	for signal := uintptr(1); signal <= lastSignal; signal++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&l.action)), 0, 8, 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&l.mask)), 0, 8, 0, 0)
	// As late as can be: little of this process would work with the least of them.
	if errno := setLimits(l); errno != 0 {
		fail(l, StepLimits, errno)
		return
	}
	pid, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	write(l, MessagePid, uint32(pid), 0)
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(l.path)), uintptr(unsafe.Pointer(l.argv)), uintptr(unsafe.Pointer(l.envv)))
	fail(l, StepExecute, errno)
}

// setLimits lowers the limits of this process, whose hard ones are high enough by then.
//
//go:norace
//go:nosplit
func setLimits(l *launch) syscall.Errno {
	for resource := 0; resource < len(l.limits); resource++ {
		if !l.limits[resource].set {
			continue
		}
		values := uintptr(unsafe.Pointer(&l.limits[resource].values))
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(resource), values, 0, 0, 0); errno != 0 {
			return errno
		}
	}
	return 0
}

//go:norace
//go:nosplit
func fail(l *launch, step byte, errno syscall.Errno) { write(l, MessageFailed, uint32(errno), step) }

//go:norace
//go:nosplit
func write(l *launch, kind byte, number uint32, step byte) {
	l.message[0] = kind
	l.message[1] = byte(number)
	l.message[2] = byte(number >> 8)
	l.message[3] = byte(number >> 16)
	l.message[4] = byte(number >> 24)
	l.message[5] = step
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.reply), uintptr(unsafe.Pointer(&l.message)), 6)
}
