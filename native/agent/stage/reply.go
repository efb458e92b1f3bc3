package stage

import (
	"encoding/binary"
	"errors"
	"syscall"

	"a3s.dev/box/agent/users"
)

// Codes of a refusal, as in docs/development/guest-protocol.md.
const (
	CommandNotFound      = "command-not-found"
	CommandNotExecutable = "command-not-executable"
	UserNotFound         = "user-not-found"
	CwdInvalid           = "cwd-invalid"
	SetupFailed          = "setup-failed"
)

// Refusal is why a process was not started.
type Refusal struct{ Code, Message string }

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Kinds of message on the socket between agent and stage; each is one packet.
const (
	// messageRequest, from the agent, is followed by the exec request.
	messageRequest = 'o'
	// messageRequestFile, from the agent, carries a file with the exec request as a descriptor, and
	// the place as others; its second byte says which.
	messageRequestFile = 'l'
	// MessageWaiting is a stage's first; main's carries a mount of /proc that is attached nowhere.
	MessageWaiting = 'w'
	// MessageRefused is followed by the code, a zero byte and the text.
	MessageRefused = 'x'
	// MessageTerminal carries the master of the terminal as a descriptor.
	MessageTerminal = 't'
	// MessageUser is followed by the numbers of the user, its group and its supplementary groups.
	MessageUser = 'u'
	// MessageReady is followed by the id of the child in the agent's pid namespace, zero for main.
	MessageReady = 'r'
	// MessagePid is followed by the id that the process has inside the box.
	MessagePid = 'p'
	// MessageFailed is followed by an error number and the step that failed, after the last one
	// that could fail in Go.
	MessageFailed = 'e'
)

// MaxMessage bounds a packet.
const MaxMessage = 64 << 10

type reply struct{ fd int }

func (r reply) send(kind byte, payload []byte, rights []byte) error {
	for {
		err := syscall.Sendmsg(r.fd, append([]byte{kind}, payload...), rights, nil, 0)
		if err != syscall.EINTR {
			return err
		}
	}
}

func (r reply) ready(pid int) error {
	return r.send(MessageReady, binary.LittleEndian.AppendUint32(nil, uint32(pid)), nil)
}

// maxReportedGroups bounds the groups of a user that are reported to the agent, and so to the host.
const maxReportedGroups = 1024

// user writes who the process runs as, unless there are more groups than that.
func (r reply) user(user users.User) error {
	if len(user.Groups) > maxReportedGroups {
		return nil
	}
	message := binary.LittleEndian.AppendUint32(nil, user.UID)
	message = binary.LittleEndian.AppendUint32(message, user.GID)
	for _, group := range user.Groups {
		message = binary.LittleEndian.AppendUint32(message, group)
	}
	return r.send(MessageUser, message, nil)
}

// refuse writes why the process is not started. Where the socket fails, the agent sees the stage
// end without a message.
func (r reply) refuse(err error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		refusal = &Refusal{SetupFailed, err.Error()}
	}
	text := refusal.Code + "\x00" + refusal.Message
	_ = r.send(MessageRefused, []byte(text[:min(len(text), MaxMessage-1)]), nil)
}
