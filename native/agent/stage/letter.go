package stage

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Send gives a stage that waits its order, and the network namespace that its workload belongs to.
func (o *Order) Send(socket, network int) error {
	letter, err := linux.Memory("a3s-order", o.encode())
	if err != nil {
		return err
	}
	defer syscall.Close(letter)
	for {
		err := syscall.Sendmsg(socket, []byte{messageOrder}, syscall.UnixRights(network, letter), nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

var errLetter = errors.New("the letter is not an order")

// receive waits for an order; none when the agent wants nothing of this stage any more.
func receive(socket int) (order *Order, network int, err error) {
	message := make([]byte, 1)
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
	messages, err := syscall.ParseSocketControlMessage(rights[:rightsLength])
	if err != nil || len(messages) != 1 || message[0] != messageOrder {
		return nil, -1, errors.Join(errLetter, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 2 {
		return nil, -1, errors.Join(errLetter, err)
	}
	order, err = readOrder(fds[1])
	return order, fds[0], err
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
