package stage

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Send gives a stage that waits its order. network is the network namespace that the workload belongs to; -1 where the stage
// is in it. room is for the message, and may be nil.
func (o *Order) Send(socket, network int, room []byte) error {
	message := o.encode(append(room[:0], messageOrder))
	if network < 0 && len(message) <= MaxMessage {
		return send(socket, message, nil)
	}
	letter, err := linux.Memory("a3s-order", message[1:])
	if err != nil {
		return err
	}
	defer syscall.Close(letter)
	fds := []int{letter}
	if network >= 0 {
		fds = append(fds, network)
	}
	return send(socket, []byte{messageLetter}, syscall.UnixRights(fds...))
}

func send(socket int, message, rights []byte) error {
	for {
		err := syscall.Sendmsg(socket, message, rights, nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

var errLetter = errors.New("the letter is not an order")

// receive waits for an order, and the network namespace to enter, or -1; none when the agent wants nothing of this stage any more.
func receive(socket int) (order *Order, network int, err error) {
	message := make([]byte, MaxMessage)
	rights := make([]byte, syscall.CmsgSpace(2*4))
	var n, rightsLength int
	for {
		n, rightsLength, _, _, err = syscall.Recvmsg(socket, message, rights, syscall.MSG_CMSG_CLOEXEC)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return nil, -1, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return nil, -1, nil
	}
	if message[0] == messageOrder {
		order, err = decodeOrder(message[1:n])
		return order, -1, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rightsLength])
	if err != nil || len(messages) != 1 || message[0] != messageLetter {
		return nil, -1, errors.Join(errLetter, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) < 1 || len(fds) > 2 {
		return nil, -1, errors.Join(errLetter, err)
	}
	network = -1
	if len(fds) == 2 {
		network = fds[1]
	}
	order, err = readOrder(fds[0])
	return order, network, err
}

func readOrder(letter int) (*Order, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(letter, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	data := make([]byte, stat.Size)
	for read := 0; read < len(data); {
		n, err := syscall.Pread(letter, data[read:], int64(read))
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
