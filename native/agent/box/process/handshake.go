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

// started is the process that a stage has started.
type started struct {
	child *reaper.Child
	// pid is the process's id inside the box.
	pid int
	// terminal is the master of its terminal, or nil.
	terminal *os.File
	// user is nil where the stage does not tell.
	user *User
}

// Stage is a stage process that waits for its exec request.
type Stage struct {
	child *reaper.Child
	// socket is the agent's end of the stage's socket.
	socket  int
	streams *streams
	// buffer is for the messages to and from the stage.
	buffer []byte
}

var errSilent = errors.New("the stage did not report that it waits")

// await returns when the stage waits for its exec request. It returns the descriptor that the stage
// has sent, or -1.
func (w *Stage) await() (int, error) {
	message := w.buffer
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
		r := &replies{}
		if err := r.read(message[:n], nil); err != nil {
			return -1, err
		}
		if r.refusal != nil {
			return -1, r.refusal
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

// replies holds what a stage and its child have written.
type replies struct {
	ready bool
	// executed: the refusal is that of execve.
	executed   bool
	pid, child int
	terminal   *os.File
	refusal    *stage.Refusal
	user       *User
}

// fail returns an error after it has closed the descriptor that the stage has sent.
func (r *replies) fail(err error) error {
	if r.terminal != nil {
		return errors.Join(err, r.terminal.Close())
	}
	return err
}

var errReply = errors.New("the stage has written an unknown message")

// readReplies reads until no process holds the other end: the stage and its child have exited, or
// executed the workload.
func readReplies(socket int, message []byte) (*replies, error) {
	r := &replies{}
	rights := make([]byte, syscall.CmsgSpace(4))
	for {
		n, rightsLength, _, _, err := syscall.Recvmsg(socket, message, rights, syscall.MSG_CMSG_CLOEXEC)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return r, err
		case n == 0:
			return r, nil
		default:
			if err := r.read(message[:n], rights[:rightsLength]); err != nil {
				return r, err
			}
		}
	}
}

func (r *replies) read(message, rights []byte) error {
	body := message[1:]
	switch kind := message[0]; {
	case kind == stage.MessageRefused:
		code, text, _ := strings.Cut(string(body), "\x00")
		r.refusal = &stage.Refusal{Code: code, Message: text}
	case kind == stage.MessageTerminal:
		return r.takeTerminal(rights)
	case kind == stage.MessageUser && len(body) >= 8 && len(body)%4 == 0:
		r.user = readUser(body)
	case kind == stage.MessageReady && len(body) == 4:
		r.ready = true
		r.child = int(binary.LittleEndian.Uint32(body))
	case kind == stage.MessagePid && len(body) == 5:
		r.pid = int(binary.LittleEndian.Uint32(body))
	case kind == stage.MessageFailed && len(body) == 5:
		r.executed = body[4] == stage.StepExecute
		r.refusal = executeRefusal(syscall.Errno(binary.LittleEndian.Uint32(body)), body[4])
	default:
		return errReply
	}
	return nil
}

func readUser(numbers []byte) *User {
	user := &User{UID: binary.LittleEndian.Uint32(numbers), GID: binary.LittleEndian.Uint32(numbers[4:])}
	for at := 8; at < len(numbers); at += 4 {
		user.Groups = append(user.Groups, binary.LittleEndian.Uint32(numbers[at:]))
	}
	return user
}

func (r *replies) takeTerminal(rights []byte) error {
	if r.terminal != nil {
		return errReply
	}
	fd, err := oneRight(rights)
	if err != nil {
		return err
	}
	r.terminal = os.NewFile(uintptr(fd), "terminal")
	return nil
}

// oneRight returns the one descriptor that came with a message.
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

// executeRefusal describes a failure of the last steps, which write a number and no text.
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

// Narrow closes the streams that the process does not have.
func (w *Stage) Narrow(terminal, stdin bool) error { return w.streams.narrow(terminal, stdin) }

// Abandon kills a stage that gets no exec request, and closes its streams.
func (w *Stage) Abandon() error { return errors.Join(w.Kill(), w.streams.closeOurs()) }

// Discard ends a stage that gets no exec request.
func (w *Stage) Discard() error { return errors.Join(w.End(), w.close()) }

// End kills a stage, and returns when it has exited.
func (w *Stage) End() error {
	err := w.Kill()
	<-w.child.Done()
	return err
}
