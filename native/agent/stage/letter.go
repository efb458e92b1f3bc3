package stage

import (
	"errors"
	"math/bits"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Place is where a workload belongs that is not where its stage is: a network namespace, and what names the members of a control
// group; -1 for none.
type Place struct{ Network, Cgroup int }

// Send gives a stage that waits its order. room is for the message, and may be nil.
func (o *Order) Send(socket int, place Place, room []byte) error {
	message := o.encode(append(room[:0], messageOrder))
	if place.Network < 0 && place.Cgroup < 0 && len(message) <= MaxMessage {
		return send(socket, message, nil)
	}
	letter, err := linux.Memory("a3s-order", message[1:])
	if err != nil {
		return err
	}
	defer syscall.Close(letter)
	fds := []int{letter}
	enclosed := byte(0)
	for index, fd := range []int{place.Network, place.Cgroup} {
		if fd >= 0 {
			fds = append(fds, fd)
			enclosed |= 1 << index
		}
	}
	return send(socket, []byte{messageLetter, enclosed}, syscall.UnixRights(fds...))
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

// receive waits for an order, and where to go; none when the agent wants nothing of this stage any more.
func receive(socket int) (order *Order, place Place, err error) {
	place = Place{-1, -1}
	message := make([]byte, MaxMessage)
	rights := make([]byte, syscall.CmsgSpace(3*4))
	var n, rightsLength int
	for {
		n, rightsLength, _, _, err = syscall.Recvmsg(socket, message, rights, syscall.MSG_CMSG_CLOEXEC)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return nil, place, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return nil, place, nil
	}
	if message[0] == messageOrder {
		order, err = decodeOrder(message[1:n])
		return order, place, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rightsLength])
	if err != nil || len(messages) != 1 || n != 2 || message[0] != messageLetter {
		return nil, place, errors.Join(errLetter, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1+bits.OnesCount8(message[1]) {
		return nil, place, errors.Join(errLetter, err)
	}
	next := 1
	for index, fd := range []*int{&place.Network, &place.Cgroup} {
		if message[1]&(1<<index) != 0 {
			*fd = fds[next]
			next++
		}
	}
	order, err = readOrder(fds[0])
	return order, place, err
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
