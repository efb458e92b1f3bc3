package netlink

import (
	"errors"
	"syscall"
)

var errAnswer = errors.New("the kernel's answer is malformed")

// Connection is an rtnetlink socket. It belongs to the network namespace of the thread that opened it.
type Connection struct {
	fd       int
	sequence uint32
}

// Open opens a connection.
func Open() (*Connection, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return &Connection{fd: fd}, nil
}

// Close closes the connection.
func (c *Connection) Close() error { return syscall.Close(c.fd) }

// do sends a request and waits for its acknowledgement.
func (c *Connection) do(m *message) error {
	_, err := c.ask(m)
	return err
}

// ask sends a request and answers the body of what it is answered with; an acknowledgement has none.
func (c *Connection) ask(m *message) ([]byte, error) {
	c.sequence++
	if err := syscall.Sendto(c.fd, m.encode(c.sequence), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, _, err := syscall.Recvfrom(c.fd, buffer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		body, found, err := answer(buffer[:n], c.sequence)
		if found || err != nil {
			return body, err
		}
	}
}

// answer finds the first message of a datagram that answers a request.
func answer(datagram []byte, sequence uint32) (body []byte, found bool, err error) {
	for len(datagram) >= headerBytes {
		length := int(native.Uint32(datagram))
		if length < headerBytes || length > len(datagram) {
			return nil, false, errAnswer
		}
		body := datagram[headerBytes:length]
		if native.Uint32(datagram[8:]) == sequence {
			if native.Uint16(datagram[4:]) != syscall.NLMSG_ERROR {
				return body, true, nil
			}
			return nil, true, outcome(body)
		}
		datagram = datagram[min(len(datagram), (length+3)&^3):]
	}
	return nil, false, nil
}

// outcome reads struct nlmsgerr: a negative error number, zero for success.
func outcome(body []byte) error {
	if len(body) < 4 {
		return errAnswer
	}
	if number := int32(native.Uint32(body)); number != 0 {
		return syscall.Errno(-number)
	}
	return nil
}
