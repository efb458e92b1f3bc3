package netlink

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/linux"
)

var errAnswer = errors.New("the kernel's answer is malformed")

// bufferBytes is more than the kernel puts into one datagram.
const bufferBytes = 32 << 10

// Connection is a netlink socket. It belongs to the network namespace of the thread that opened it.
type Connection struct {
	fd       int
	sequence uint32
}

// Open opens a connection to what knows of links.
func Open() (*Connection, error) { return openFamily(syscall.NETLINK_ROUTE) }

func openFamily(family int) (*Connection, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, family)
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

// Namespace returns a descriptor of the namespace that the connection belongs to.
func (c *Connection) Namespace() (int, error) { return linux.NetworkNamespace(c.fd) }

// do sends a request and waits for its acknowledgement.
func (c *Connection) do(m *message) error {
	_, err := c.ask(m)
	return err
}

// ask sends a request and returns the body of the reply. An acknowledgement has no body.
func (c *Connection) ask(m *message) ([]byte, error) {
	if err := c.send(m); err != nil {
		return nil, err
	}
	buffer := make([]byte, bufferBytes)
	for {
		n, err := c.receive(buffer)
		if err != nil {
			return nil, err
		}
		body, found, err := answer(buffer[:n], c.sequence)
		if found || err != nil {
			return body, err
		}
	}
}

func (c *Connection) send(m *message) error {
	c.sequence++
	return syscall.Sendto(c.fd, m.encode(c.sequence), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
}

func (c *Connection) receive(buffer []byte) (int, error) {
	for {
		n, _, err := syscall.Recvfrom(c.fd, buffer, 0)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// answer finds the first message of a datagram that is the reply to a request.
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

// each calls take for every message of a datagram of a dump, and returns whether the dump is done.
func each(datagram []byte, sequence uint32, take func(body []byte) error) (done bool, err error) {
	for len(datagram) >= headerBytes {
		length := int(native.Uint32(datagram))
		if length < headerBytes || length > len(datagram) {
			return false, errAnswer
		}
		body, kind := datagram[headerBytes:length], native.Uint16(datagram[4:])
		switch {
		case native.Uint32(datagram[8:]) != sequence:
		case kind == syscall.NLMSG_DONE:
			return true, nil
		case kind == syscall.NLMSG_ERROR:
			return true, outcome(body)
		default:
			if err := take(body); err != nil {
				return false, err
			}
		}
		datagram = datagram[min(len(datagram), (length+3)&^3):]
	}
	return false, nil
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
