// Package stage is the short-lived process that turns into a process of the box.
//
// The agent executes its own binary under the name Name. That process holds no secret,
// enters the box's namespaces, confines one thread, and executes the workload on it: main in its
// own place, as the first process of the pid namespace that it was born in; any other one in a child, because
// a process cannot enter a pid namespace itself. The child's parent is the agent (CLONE_PARENT).
//
// Main, exec and terminals run through this one path, so they get the same confinement.
package stage

import (
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Name is the first argument of a stage.
const Name = "a3s-stage"

// Descriptors of a stage, as the agent lays them out; 0 and 1 are /dev/null, 2 is the console.
const (
	FdReply = iota + 3
	FdOrder
	FdStdin
	FdStdout
	FdStderr
	FdCgroup
	FdMount
	FdUTS
	FdIPC
	FdNetwork
	FdCgroupNamespace
	FdPid
	FdCount
)

// A stage runs before the packages of the agent are initialised, which takes longer than all that it does: Go
// initialises packages in the order of their import paths once their imports are done, and this one needs little.
func init() {
	if len(os.Args) == 1 && os.Args[0] == Name {
		// Nothing is left to flush; the exit of package os would run hooks.
		syscall.Exit(run())
	}
}

// run is on the process's first thread, which an init function is locked to.
func run() int {
	reply := reply{FdReply}
	if err := stage(reply); err != nil {
		reply.refuse(err)
		return 1
	}
	return 0
}

func stage(reply reply) error {
	// Whatever this process has inherited, the workload gets three descriptors.
	if err := linux.CloseOnExecFrom(FdReply); err != nil {
		return err
	}
	// Until the workload is executed nobody in the box may look into this process or its child.
	if err := linux.SetUndumpable(); err != nil {
		return err
	}
	order, err := readOrder()
	if err != nil {
		return err
	}
	if err := leaveAgent(order); err != nil {
		return err
	}
	if order.Main {
		if err := finishRoot(order); err != nil {
			return err
		}
	}
	stdio, err := openStdio(order, reply)
	if err != nil {
		return err
	}
	path, err := confine(order, stdio)
	if err != nil {
		return err
	}
	return execute(order, path, stdio, reply)
}

func readOrder() (*Order, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(FdOrder, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	data := make([]byte, stat.Size)
	for read := 0; read < len(data); {
		n, err := syscall.Pread(FdOrder, data[read:], int64(read))
		if err != nil && err != syscall.EINTR {
			return nil, os.NewSyscallError("pread", err)
		}
		if n == 0 {
			return nil, errOrder
		}
		read += max(n, 0)
	}
	return decodeOrder(data)
}

// leaveAgent drops what only the agent may have, and enters the box.
func leaveAgent(order *Order) error {
	// The agent's own score of -1000 would make the workload immune to the out-of-memory killer.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0); err != nil {
		return err
	}
	// setns of a mount namespace needs a root and working directory that no other thread shares.
	if err := linux.Unshare(syscall.CLONE_FS); err != nil {
		return err
	}
	type namespace struct {
		fd   int
		kind uintptr
	}
	namespaces := []namespace{
		{FdCgroupNamespace, syscall.CLONE_NEWCGROUP},
		{FdUTS, syscall.CLONE_NEWUTS},
		{FdIPC, syscall.CLONE_NEWIPC},
		{FdNetwork, syscall.CLONE_NEWNET},
	}
	if !order.Main {
		namespaces = append(namespaces, namespace{FdPid, syscall.CLONE_NEWPID})
	}
	// The mount namespace comes last: after it the agent's files are gone.
	namespaces = append(namespaces, namespace{FdMount, syscall.CLONE_NEWNS})
	for _, ns := range namespaces {
		if err := linux.SetNamespace(ns.fd, ns.kind); err != nil {
			return err
		}
	}
	return nil
}
