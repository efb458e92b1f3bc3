// Package stage is the process that turns into a process of the box.
//
// The agent executes its own binary under the name Name. That process holds no secret. It waits for
// its exec request, confines one thread, and executes the workload on it: main in its own place, as
// the first process of the namespaces that it was born in; any other one enters them, and starts a
// child, because a process cannot enter a pid namespace itself. The child's parent is the agent
// (CLONE_PARENT).
//
// Main, exec and terminals run through this one path, so they get the same confinement.
package stage

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Name is the first argument of a stage, and Main is the second one of that which becomes main.
const (
	Name = "a3s-stage"
	Main = "main"
)

// Descriptors of a stage, as the agent lays them out; 0 and 1 are /dev/null, 2 is the console.
const (
	FdSocket = iota + 3
	FdStdin
	FdStdout
	FdStderr
	FdCgroup
	FdMount
	FdUTS
	FdIPC
	FdCgroupNamespace
	FdPid
	FdCount
)

// A stage runs before the packages of the agent are initialised, which takes longer than all that
// it does: Go initialises packages in the order of their import paths once their imports are done,
// and this one needs little.
func init() {
	if len(os.Args) >= 1 && os.Args[0] == Name {
		// Nothing is left to flush; the exit of package os would run hooks.
		syscall.Exit(run())
	}
}

// run is on the process's first thread, which an init function is locked to. That lock is the
// runtime's own, and lets the scheduler start threads from this one. From a thread that has entered
// a pid namespace the kernel starts none (EINVAL), and Go ends the program then. Under a lock of
// the caller, other threads start them.
func run() int {
	runtime.LockOSThread()
	reply := reply{FdSocket}
	if err := stage(reply); err != nil {
		reply.refuse(err)
		return 1
	}
	return 0
}

func stage(reply reply) error {
	// The workload gets three descriptors, and none of those that this process has inherited.
	if err := linux.CloseOnExecFrom(FdSocket); err != nil {
		return err
	}
	// Until the workload is executed, no process in the box may inspect this process or its child.
	if err := linux.SetUndumpable(); err != nil {
		return err
	}
	// Open from the beginning: the box may mask what its own /proc has.
	score, err := linux.OpenAt(-1, "/proc/self/oom_score_adj", syscall.O_WRONLY, 0, 0)
	if err != nil {
		return err
	}
	// The agent's own score of -1000 would make the workload immune to the out-of-memory killer.
	if err := setOOMScore(score, 0); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if err := linux.NewSessionKeyring(); err != nil {
		return err
	}
	if err := warmUp(); err != nil {
		return err
	}
	if err := wait(reply); err != nil {
		return err
	}
	request, place, err := receive(FdSocket)
	if err != nil || request == nil {
		return err
	}
	if request.OOMScore != 0 {
		if err := setOOMScore(score, int(request.OOMScore)); err != nil {
			return err
		}
	}
	if err := enter(request, place.Network); err != nil {
		return err
	}
	stdio, err := openStdio(request, reply)
	if err != nil {
		return err
	}
	path, err := confine(request, stdio, reply)
	if err != nil {
		return err
	}
	cgroup := FdCgroup
	if place.Cgroup >= 0 {
		cgroup = place.Cgroup
	}
	return execute(request, path, stdio, cgroup, reply)
}

// setOOMScore says how readily the kernel ends this process, and its children, for lack of memory.
func setOOMScore(file, score int) error {
	_, err := syscall.Pwrite(file, []byte(strconv.Itoa(score)), 0)
	return os.NewSyscallError("set the out-of-memory score", err)
}

// wait writes to the agent that this process waits. Main is in the box's control group and in a
// session of its own from then on. It passes a mount of /proc to the agent, since such a mount
// shows the pid namespace of the process that makes it.
func wait(reply reply) error {
	if len(os.Args) == 1 {
		return reply.send(MessageWaiting, nil, nil)
	}
	proc, err := linux.NewMount("proc", linux.Nosuid|linux.Nodev|linux.Noexec, linux.Option{Key: "source", Value: "proc"})
	if err != nil {
		return err
	}
	defer syscall.Close(proc)
	// The process that writes "0" is moved; the limits of the box begin here.
	if _, err := syscall.Write(FdCgroup, []byte{'0'}); err != nil {
		return os.NewSyscallError("join the control group", err)
	}
	if _, err := syscall.Setsid(); err != nil {
		return os.NewSyscallError("setsid", err)
	}
	return reply.send(MessageWaiting, nil, syscall.UnixRights(proc))
}

// enter moves this thread into the box's namespaces. Main was born in all of them, but maybe the
// network's.
func enter(request *ExecRequest, network int) error {
	type namespace struct {
		fd   int
		kind uintptr
	}
	var namespaces []namespace
	if network >= 0 {
		namespaces = append(namespaces, namespace{network, syscall.CLONE_NEWNET})
	}
	if !request.Main {
		namespaces = append(namespaces,
			namespace{FdCgroupNamespace, syscall.CLONE_NEWCGROUP},
			namespace{FdUTS, syscall.CLONE_NEWUTS},
			namespace{FdIPC, syscall.CLONE_NEWIPC},
			namespace{FdPid, syscall.CLONE_NEWPID},
		)
	}
	for _, ns := range namespaces {
		if err := linux.SetNamespace(ns.fd, ns.kind); err != nil {
			return err
		}
	}
	if request.Main {
		return nil
	}
	return enterMounts(FdMount)
}

// mountAttempts is more than the scheduler starts threads in a row.
const mountAttempts = 16

// enterMounts moves this thread into a mount namespace. The kernel refuses that (EINVAL) while
// another thread shares its root and working directory. Go's scheduler may start a thread from this
// one at any time, which shares them then: on a busy machine, where this thread had to wait for its
// turn, it does. So they are unshared at the last moment, and again where a thread came between.
func enterMounts(fd int) error {
	for attempt := 1; ; attempt++ {
		if err := linux.Unshare(syscall.CLONE_FS); err != nil {
			return err
		}
		err := linux.SetNamespace(fd, syscall.CLONE_NEWNS)
		if attempt == mountAttempts || !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
}

// usualRequest is a usual exec request.
var usualRequest = ExecRequest{
	Args: []string{"true"}, Env: []string{"PATH=" + defaultPath, "HOSTNAME=box"}, Cwd: "/",
	Filter: make([]linux.Instruction, 1024), Limits: make([]Limit, 3),
}

// warmUp does what an exec request makes a stage do, as far as that changes nothing. Stack, heap
// and tables of types then have the room that the request needs, also in a copy of the guest.
func warmUp() error {
	request, err := decodeRequest(usualRequest.encode(nil))
	if err != nil {
		return err
	}
	// There are no accounts and no programs in the agent's root.
	user, err := resolveUser(request)
	if err != nil {
		return err
	}
	request.Env = environment(request.Env, user.Home)
	_, _ = lookPath(request.Args[0], request.Env)
	if _, err := syscall.SlicePtrFromStrings(request.Args); err != nil {
		return err
	}
	_, err = syscall.SlicePtrFromStrings(request.Env)
	return err
}
