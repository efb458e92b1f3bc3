package stage

import (
	"errors"
	"math/bits"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Place has what a workload joins besides the descriptors of its stage: a network namespace, and
// the file that lists the members of a control group; -1 for none.
type Place struct{ Network, Cgroup int }

// Send sends the exec request to a stage that waits. room is a buffer for the message, and may be
// nil.
func (r *ExecRequest) Send(socket int, place Place, room []byte) error {
	message := r.encode(append(room[:0], messageRequest))
	if place.Network < 0 && place.Cgroup < 0 && len(message) <= MaxMessage {
		return send(socket, message, nil)
	}
	file, err := linux.Memory("a3s-exec-request", message[1:])
	if err != nil {
		return err
	}
	defer syscall.Close(file)
	fds := []int{file}
	enclosed := byte(0)
	for index, fd := range []int{place.Network, place.Cgroup} {
		if fd >= 0 {
			fds = append(fds, fd)
			enclosed |= 1 << index
		}
	}
	return send(socket, []byte{messageRequestFile, enclosed}, syscall.UnixRights(fds...))
}

func send(socket int, message, rights []byte) error {
	for {
		err := syscall.Sendmsg(socket, message, rights, nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

var errRequestFile = errors.New("the file is not an exec request")

// receive reads an exec request and its place. The request is nil when the agent has closed the
// socket.
func receive(socket int) (request *ExecRequest, place Place, err error) {
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
	if message[0] == messageRequest {
		request, err = decodeRequest(message[1:n])
		return request, place, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rightsLength])
	if err != nil || len(messages) != 1 || n != 2 || message[0] != messageRequestFile {
		return nil, place, errors.Join(errRequestFile, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1+bits.OnesCount8(message[1]) {
		return nil, place, errors.Join(errRequestFile, err)
	}
	next := 1
	for index, fd := range []*int{&place.Network, &place.Cgroup} {
		if message[1]&(1<<index) != 0 {
			*fd = fds[next]
			next++
		}
	}
	request, err = readRequest(fds[0])
	return request, place, err
}

func readRequest(file int) (*ExecRequest, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(file, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	data := make([]byte, stat.Size)
	for read := 0; read < len(data); {
		n, err := syscall.Pread(file, data[read:], int64(read))
		if err != nil && err != syscall.EINTR {
			return nil, os.NewSyscallError("pread", err)
		}
		if n == 0 {
			return nil, errRequest
		}
		read += max(n, 0)
	}
	return decodeRequest(data)
}
