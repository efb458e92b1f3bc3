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

// Launcher starts stages.
type Launcher struct {
	Reaper *reaper.Reaper
	// binary is open on this program, which nobody can write to.
	Binary int
	Cgroup *cgroup.Cgroup
	Limits []stage.Limit
}

// StartMain starts main's stage in the namespaces of this thread, and returns when it waits, with a mount of its /proc. What
// its streams are for is not known yet.
func (l *Launcher) StartMain() (w *Stage, proc int, err error) {
	streams, err := openStreams(false, true)
	if err != nil {
		return nil, -1, err
	}
	none := Namespaces{-1, -1, -1, -1, -1, -1}
	if w, err = l.spawn(&none, streams, stage.Name, stage.Main); err != nil {
		return nil, -1, err
	}
	proc, err = w.await()
	if err == nil && proc < 0 {
		err = errSilent
	}
	return w, proc, err
}

// start gives a stage its order, and answers once the workload has been executed, or why it was not.
func (l *Launcher) start(w *Stage, order *stage.Order, place stage.Place) (*started, error) {
	defer syscall.Close(w.socket)
	done := l.Reaper.Adopting()
	defer done()
	if err := order.Send(w.socket, place, w.room); err != nil {
		return nil, errors.Join(err, w.Kill())
	}
	talk, err := readReplies(w.socket, w.room)
	if err != nil {
		return nil, talk.fail(errors.Join(err, w.Kill()))
	}
	workload := w.child
	if !order.Main {
		<-w.child.Done()
		if talk.child != 0 {
			workload = l.Reaper.Adopt(talk.child)
		}
	}
	switch {
	case talk.refusal != nil:
		<-workload.Done()
		if talk.executed {
			talk.refusal.Message = "exec " + order.Args[0] + ": " + talk.refusal.Message
		}
		return nil, talk.fail(talk.refusal)
	case !talk.ready || !order.Main && talk.child == 0:
		<-w.child.Done()
		return nil, talk.fail(&stage.Refusal{Code: stage.SetupFailed, Message: "the stage ended: " + describe(w.child.Status())})
	}
	return &started{child: workload, pid: talk.pid, terminal: talk.terminal}, nil
}

// spawn starts a stage, whose descriptors are the namespaces that it has to enter.
func (l *Launcher) spawn(ns *Namespaces, streams *streams, arguments ...string) (*Stage, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	// The end of the conversation is seen only when nobody else holds their end.
	defer syscall.Close(theirs)
	null, err := linux.OpenAt(-1, os.DevNull, syscall.O_RDWR, 0, 0)
	if err != nil {
		return nil, errors.Join(err, syscall.Close(ours))
	}
	defer syscall.Close(null)
	stdio := streams.theirs
	files := [stage.FdCount]int{
		null, null, syscall.Stderr, stage.FdTalk: theirs,
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
	// By the agent's own number: in the child the descriptors are rearranged already when it executes.
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

// Run starts a process by a stage, and watches it to its end. oomKilled says of an exit whether it came of a lack of memory.
func (l *Launcher) Run(h *Handle, w *Stage, order *stage.Order, place stage.Place, oomKilled func(status syscall.WaitStatus) bool) error {
	s, err := l.start(w, order, place)
	if err != nil {
		return errors.Join(err, w.streams.closeOurs())
	}
	h.run(s, w.streams, oomKilled)
	return nil
}
