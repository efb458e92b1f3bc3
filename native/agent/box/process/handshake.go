package process

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/signals"
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

// Stage is a stage that waits for its order.
type Stage struct {
	child *reaper.Child
	// socket is our end of its socket.
	socket  int
	streams *streams
	// room is for what is said to the stage and by it.
	room []byte
}

var errSilent = errors.New("the stage does not wait as it should")

// await returns when the stage waits for its order, with the descriptor that came along, or -1.
func (w *Stage) await() (int, error) {
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
		t := &replies{}
		if err := t.read(message[:n], nil); err != nil {
			return -1, err
		}
		if t.refusal != nil {
			return -1, t.refusal
		}
		return -1, errSilent
	}
}

// Kill kills the stage, which may have exited.
func (w *Stage) Kill() error {
	if err := w.child.Signal(syscall.SIGKILL); err != nil && err != reaper.ErrExited {
		return err
	}
	return nil
}

// talk is all that a stage and its child said.
type replies struct {
	ready bool
	// executed: the refusal is execve's.
	executed   bool
	pid, child int
	terminal   *os.File
	refusal    *stage.Refusal
}

// abandon answers an error and lets go of what the stage handed over.
func (t *replies) fail(err error) error {
	if t.terminal != nil {
		return errors.Join(err, t.terminal.Close())
	}
	return err
}

var errReply = errors.New("the stage said something unknown")

// listen reads until every holder of the other end is gone or has executed the workload.
func readReplies(socket int, message []byte) (*replies, error) {
	t := &replies{}
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
			if err := t.read(message[:n], rights[:rightsLength]); err != nil {
				return t, err
			}
		}
	}
}

func (t *replies) read(message, rights []byte) error {
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
		return errReply
	}
	return nil
}

func (t *replies) takeTerminal(rights []byte) error {
	if t.terminal != nil {
		return errReply
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
		return -1, errors.Join(errReply, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(errReply, err)
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
		return signals.Name(status.Signal())
	}
	return "exit code " + strconv.Itoa(status.ExitStatus())
}

// Narrow keeps of all streams those that the process has.
func (w *Stage) Narrow(terminal, stdin bool) error { return w.streams.narrow(terminal, stdin) }

// Abandon ends a stage that gets no order.
func (w *Stage) Abandon() error { return errors.Join(w.Kill(), w.streams.closeOurs()) }

// End ends a stage, and returns when it is gone.
func (w *Stage) End() error {
	err := w.Kill()
	<-w.child.Done()
	return err
}
