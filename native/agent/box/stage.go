package box

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

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

// waiting is a stage that waits for its order.
type waiting struct {
	child *reaper.Child
	// socket is our end of its socket.
	socket  int
	streams *streams
	// room is for what is said to the stage and by it.
	room []byte
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

func (w *waiting) kill() error {
	if err := w.child.Signal(syscall.SIGKILL); err != nil && err != reaper.ErrExited {
		return err
	}
	return nil
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

// narrow keeps of all streams those that the process has.
func (w *waiting) narrow(terminal, stdin bool) error { return w.streams.narrow(terminal, stdin) }

// abandon ends a stage that gets no order.
func (w *waiting) abandon() error { return errors.Join(w.kill(), w.streams.closeOurs()) }

// end ends a stage, and returns when it is gone.
func (w *waiting) end() error {
	err := w.kill()
	<-w.child.Done()
	return err
}
