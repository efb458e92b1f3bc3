// Package stage is the process that turns into a process of the box.
//
// The agent executes its own binary under the name Name. That process holds no secret. It waits for its order,
// confines one thread, and executes the workload on it: main in its own place, as the first process of the
// namespaces that it was born in; any other one enters them, and starts a child, because a process cannot enter a
// pid namespace itself. The child's parent is the agent (CLONE_PARENT).
//
// Main, exec and terminals run through this one path, so they get the same confinement.
package stage

import (
	"errors"
	"os"
	"runtime"
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
	FdTalk = iota + 3
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

// A stage runs before the packages of the agent are initialised, which takes longer than all that it does: Go
// initialises packages in the order of their import paths once their imports are done, and this one needs little.
func init() {
	if len(os.Args) >= 1 && os.Args[0] == Name {
		// Nothing is left to flush; the exit of package os would run hooks.
		syscall.Exit(run())
	}
}

// run is on the process's first thread, which an init function is locked to. That lock is the runtime's own, and lets the scheduler start
// threads from this one. From a thread that has entered a pid namespace the kernel starts none (EINVAL), and Go ends the program then.
// Under a lock of the caller, other threads start them.
func run() int {
	runtime.LockOSThread()
	reply := reply{FdTalk}
	if err := stage(reply); err != nil {
		reply.refuse(err)
		return 1
	}
	return 0
}

func stage(reply reply) error {
	// Whatever this process has inherited, the workload gets three descriptors.
	if err := linux.CloseOnExecFrom(FdTalk); err != nil {
		return err
	}
	// Until the workload is executed nobody in the box may look into this process or its child.
	if err := linux.SetUndumpable(); err != nil {
		return err
	}
	// The agent's own score of -1000 would make the workload immune to the out-of-memory killer.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if err := linux.NewSessionKeyring(); err != nil {
		return err
	}
	if err := rehearse(); err != nil {
		return err
	}
	if err := wait(reply); err != nil {
		return err
	}
	order, place, err := receive(FdTalk)
	if err != nil || order == nil {
		return err
	}
	if err := enter(order, place.Network); err != nil {
		return err
	}
	stdio, err := openStdio(order, reply)
	if err != nil {
		return err
	}
	path, err := confine(order, stdio)
	if err != nil {
		return err
	}
	cgroup := FdCgroup
	if place.Cgroup >= 0 {
		cgroup = place.Cgroup
	}
	return execute(order, path, stdio, cgroup, reply)
}

// wait tells the agent that this process waits. Main is in the box's control group and in a session of its own from then on, and hands over a /proc: it shows the pid namespace of who mounts it.
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

// enter moves this thread into the box's namespaces. Main was born in all of them, but maybe the network's.
func enter(order *Order, network int) error {
	type namespace struct {
		fd   int
		kind uintptr
	}
	var namespaces []namespace
	if network >= 0 {
		namespaces = append(namespaces, namespace{network, syscall.CLONE_NEWNET})
	}
	if !order.Main {
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
	if order.Main {
		return nil
	}
	return enterMounts(FdMount)
}

// mountAttempts is more than the scheduler starts threads in a row.
const mountAttempts = 16

// enterMounts moves this thread into a mount namespace. The kernel refuses that (EINVAL) while another thread shares its root and working
// directory. Go's scheduler may start a thread from this one at any time, which shares them then: on a busy machine, where this thread had
// to wait for its turn, it does. So they are unshared at the last moment, and again where a thread came between.
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
