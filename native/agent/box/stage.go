package box

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/stage"
)

// started is what a stage made of an order.
type started struct {
	child *reaper.Child
	// pid is the process's id inside the box.
	pid int
	// terminal is the master of its terminal, or nil.
	terminal *os.File
}

// launcher starts stages.
type launcher struct {
	reaper *reaper.Reaper
	// binary is open on this program, which nobody can write to.
	binary int
	cgroup *Cgroup
	limits []stage.Limit
}

// dockerLimits are those that Docker's service gives to its containers.
var dockerLimits = []stage.Limit{
	{Resource: rlimitCore, Soft: unlimited, Hard: unlimited},
	{Resource: rlimitNproc, Soft: unlimited, Hard: unlimited},
	{Resource: rlimitNofile, Soft: 1 << 20, Hard: 1 << 20},
}

const (
	rlimitCore   = 4
	rlimitNproc  = 6
	rlimitNofile = 7
	unlimited    = ^uint64(0)
)

// ForbidCoreDumps sees that no process of the box leaves its memory in a file. It is called before the box takes its spec.
func (b *Box) ForbidCoreDumps() {
	limits := slices.Clone(dockerLimits)
	for index := range limits {
		if limits[index].Resource == rlimitCore {
			limits[index].Soft, limits[index].Hard = 0, 0
		}
	}
	b.launcher.limits = limits
}

// waiting is a stage that waits for its order.
type waiting struct {
	child *reaper.Child
	// socket is our end of its socket.
	socket  int
	streams *streams
	// room is for what is said to the stage and by it.
	room []byte
}

// park starts main's stage in the namespaces of this thread, and returns when it waits, with a mount of its /proc. What
// its streams are for is not known yet.
func (l *launcher) park() (w *waiting, proc int, err error) {
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

var errSilent = errors.New("the stage does not wait as it should")

// await returns when the stage waits for its order, with the descriptor that came along, or -1.
func (w *waiting) await() (int, error) {
	message := w.room
	rights := make([]byte, syscall.CmsgSpace(4))
	for {
		n, rightsLength, _, _, err := syscall.Recvmsg(w.socket, message, rights, syscall.MSG_CMSG_CLOEXEC)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return -1, err
		case n == 0:
			return -1, errSilent
		case message[0] == stage.MessageWaiting && rightsLength == 0:
			return -1, nil
		case message[0] == stage.MessageWaiting:
			return oneRight(rights[:rightsLength])
		}
		t := &talk{}
		if err := t.hear(message[:n], nil); err != nil {
			return -1, err
		}
		if t.refusal != nil {
			return -1, t.refusal
		}
		return -1, errSilent
	}
}

// start gives a stage its order, and answers once the workload has been executed, or why it was not.
func (l *launcher) start(w *waiting, order *stage.Order, place stage.Place) (*started, error) {
	defer syscall.Close(w.socket)
	done := l.reaper.Adopting()
	defer done()
	if err := order.Send(w.socket, place, w.room); err != nil {
		return nil, errors.Join(err, w.kill())
	}
	talk, err := listen(w.socket, w.room)
	if err != nil {
		return nil, talk.abandon(errors.Join(err, w.kill()))
	}
	workload := w.child
	if !order.Main {
		<-w.child.Done()
		if talk.child != 0 {
			workload = l.reaper.Adopt(talk.child)
		}
	}
	switch {
	case talk.refusal != nil:
		<-workload.Done()
		if talk.executed {
			talk.refusal.Message = "exec " + order.Args[0] + ": " + talk.refusal.Message
		}
		return nil, talk.abandon(talk.refusal)
	case !talk.ready || !order.Main && talk.child == 0:
		<-w.child.Done()
		return nil, talk.abandon(&stage.Refusal{Code: stage.SetupFailed, Message: "the stage ended: " + describe(w.child.Status())})
	}
	return &started{child: workload, pid: talk.pid, terminal: talk.terminal}, nil
}

func (w *waiting) kill() error {
	if err := w.child.Signal(syscall.SIGKILL); err != nil && err != reaper.ErrExited {
		return err
	}
	return nil
}

// spawn starts a stage, whose descriptors are the namespaces that it has to enter.
func (l *launcher) spawn(ns *Namespaces, streams *streams, arguments ...string) (*waiting, error) {
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
		stage.FdCgroup: l.cgroup.Procs, stage.FdMount: ns.Mount, stage.FdUTS: ns.UTS, stage.FdIPC: ns.IPC,
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
	path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(l.binary)
	child, err := l.reaper.Start(func() (int, error) { return syscall.ForkExec(path, arguments, attributes) })
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "execute the stage", Path: path, Err: err}, syscall.Close(ours))
	}
	return &waiting{child, ours, streams, make([]byte, stage.MaxMessage)}, streams.closeTheirs()
}

func socketPair() (ours, theirs int, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	return pair[0], pair[1], err
}

// talk is all that a stage and its child said.
type talk struct {
	ready bool
	// executed: the refusal is execve's.
	executed   bool
	pid, child int
	terminal   *os.File
	refusal    *stage.Refusal
}

// abandon answers an error and lets go of what the stage handed over.
func (t *talk) abandon(err error) error {
	if t.terminal != nil {
		return errors.Join(err, t.terminal.Close())
	}
	return err
}

var errTalk = errors.New("the stage said something unknown")

// listen reads until every holder of the other end is gone or has executed the workload.
func listen(socket int, message []byte) (*talk, error) {
	t := &talk{}
	rights := make([]byte, syscall.CmsgSpace(4))
	for {
		n, rightsLength, _, _, err := syscall.Recvmsg(socket, message, rights, syscall.MSG_CMSG_CLOEXEC)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return t, err
		case n == 0:
			return t, nil
		default:
			if err := t.hear(message[:n], rights[:rightsLength]); err != nil {
				return t, err
			}
		}
	}
}

func (t *talk) hear(message, rights []byte) error {
	body := message[1:]
	switch kind := message[0]; {
	case kind == stage.MessageRefused:
		code, text, _ := strings.Cut(string(body), "\x00")
		t.refusal = &stage.Refusal{Code: code, Message: text}
	case kind == stage.MessageTerminal:
		return t.takeTerminal(rights)
	case kind == stage.MessageReady && len(body) == 4:
		t.ready = true
		t.child = int(binary.LittleEndian.Uint32(body))
	case kind == stage.MessagePid && len(body) == 5:
		t.pid = int(binary.LittleEndian.Uint32(body))
	case kind == stage.MessageFailed && len(body) == 5:
		t.executed = body[4] == stage.StepExecute
		t.refusal = executeRefusal(syscall.Errno(binary.LittleEndian.Uint32(body)), body[4])
	default:
		return errTalk
	}
	return nil
}

func (t *talk) takeTerminal(rights []byte) error {
	if t.terminal != nil {
		return errTalk
	}
	fd, err := oneRight(rights)
	if err != nil {
		return err
	}
	t.terminal = os.NewFile(uintptr(fd), "terminal")
	return nil
}

// oneRight answers the one descriptor that came with a message.
func oneRight(rights []byte) (int, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return -1, errors.Join(errTalk, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(errTalk, err)
	}
	return fds[0], nil
}

// executeRefusal explains the steps that run too late for words.
func executeRefusal(errno syscall.Errno, step byte) *stage.Refusal {
	if step != stage.StepExecute {
		names := map[byte]string{
			stage.StepCgroup: "join the control group", stage.StepSession: "setsid",
			stage.StepTerminal: "set the controlling terminal", stage.StepStdio: "set standard streams",
			stage.StepFork: "fork", stage.StepLimits: "set resource limits", stage.StepInit: "execute the init",
		}
		return &stage.Refusal{Code: stage.SetupFailed, Message: names[step] + ": " + errno.Error()}
	}
	code := stage.CommandNotExecutable
	if errno == syscall.ENOENT || errno == syscall.ENOTDIR {
		code = stage.CommandNotFound
	}
	return &stage.Refusal{Code: code, Message: errno.Error()}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return signalName(status.Signal())
	}
	return "exit code " + strconv.Itoa(status.ExitStatus())
}
