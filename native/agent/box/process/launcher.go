package process

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/stage"
)

// Namespaces are descriptors of the namespaces that every process of the box joins.
type Namespaces struct{ Mount, UTS, IPC, Network, Cgroup, Pid int }

// NoNamespaces has no descriptor: the process stays where it is started.
var NoNamespaces = Namespaces{-1, -1, -1, -1, -1, -1}

// Launcher starts stages, and processes by them.
type Launcher struct {
	Reaper *reaper.Reaper
	// Binary is open on this program, which no process can write to.
	Binary int
	Cgroup *cgroup.Cgroup
	// Limits apply to processes whose box sets none.
	Limits []stage.Limit
}

// StartMain starts main's stage in the namespaces of this thread. It returns when the stage waits,
// with a mount of its /proc. The stage has all streams: whether main has a terminal or an input is
// not known yet.
func (l *Launcher) StartMain() (w *Stage, proc int, err error) {
	streams, err := openStreams(false, true)
	if err != nil {
		return nil, -1, err
	}
	none := NoNamespaces
	if w, err = l.spawn(&none, streams, stage.Name, stage.Main); err != nil {
		return nil, -1, err
	}
	proc, err = w.await()
	if err == nil && proc < 0 {
		err = errSilent
	}
	return w, proc, err
}

// start sends a stage its exec request. It returns once the workload has been executed, or with the
// reason why it was not.
func (l *Launcher) start(w *Stage, request *stage.ExecRequest, place stage.Place) (*started, error) {
	defer syscall.Close(w.socket)
	done := l.Reaper.Adopting()
	defer done()
	if err := request.Send(w.socket, place, w.buffer); err != nil {
		return nil, errors.Join(err, w.Kill())
	}
	r, err := readReplies(w.socket, w.buffer)
	if err != nil {
		return nil, r.fail(errors.Join(err, w.Kill()))
	}
	workload := w.child
	if !request.Main {
		<-w.child.Done()
		if r.child != 0 {
			workload = l.Reaper.Adopt(r.child)
		}
	}
	switch {
	case r.refusal != nil:
		<-workload.Done()
		if r.executed {
			r.refusal.Message = "exec " + request.Args[0] + ": " + r.refusal.Message
		}
		return nil, r.fail(r.refusal)
	case !r.ready || !request.Main && r.child == 0:
		<-w.child.Done()
		return nil, r.fail(&stage.Refusal{Code: stage.SetupFailed, Message: "the stage ended: " + describe(w.child.Status())})
	}
	return &started{child: workload, pid: r.pid, terminal: r.terminal, user: r.user}, nil
}

// spawn starts a stage, whose descriptors are the namespaces that it has to enter.
func (l *Launcher) spawn(ns *Namespaces, streams *streams, arguments ...string) (*Stage, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	// The agent reads the end of the stage's messages only when no other process holds the stage's
	// end.
	defer syscall.Close(theirs)
	null, err := linux.OpenAt(-1, os.DevNull, syscall.O_RDWR, 0, 0)
	if err != nil {
		return nil, errors.Join(err, syscall.Close(ours))
	}
	defer syscall.Close(null)
	stdio := streams.theirs
	files := [stage.FdCount]int{
		null, null, syscall.Stderr, stage.FdSocket: theirs,
		stage.FdStdin: stdio[0], stage.FdStdout: stdio[1], stage.FdStderr: stdio[2],
		stage.FdCgroup: l.Cgroup.Procs, stage.FdMount: ns.Mount, stage.FdUTS: ns.UTS, stage.FdIPC: ns.IPC,
		stage.FdCgroupNamespace: ns.Cgroup, stage.FdPid: ns.Pid,
	}
	attributes := &syscall.ProcAttr{
		// A stage lives too briefly to collect garbage, and has one thing to do.
		Env: []string{"GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"},
	}
	for _, fd := range files {
		if fd < 0 {
			fd = null
		}
		attributes.Files = append(attributes.Files, uintptr(fd))
	}
	// The agent's own process number: the child has rearranged its descriptors when it executes the
	// path.
	path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(l.Binary)
	child, err := l.Reaper.Start(func() (int, error) { return syscall.ForkExec(path, arguments, attributes) })
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "execute the stage", Path: path, Err: err}, syscall.Close(ours))
	}
	return &Stage{child, ours, streams, make([]byte, stage.MaxMessage)}, streams.closeTheirs()
}

func socketPair() (ours, theirs int, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	return pair[0], pair[1], err
}

// Run starts a process by a stage, and watches it to its end. oomKilled says whether the kernel
// ended the process for lack of memory.
func (l *Launcher) Run(h *Handle, w *Stage, request *stage.ExecRequest, place stage.Place, oomKilled func(status syscall.WaitStatus) bool) error {
	s, err := l.start(w, request, place)
	if err != nil {
		return errors.Join(err, w.streams.closeOurs())
	}
	h.run(s, w.streams, oomKilled)
	return nil
}
