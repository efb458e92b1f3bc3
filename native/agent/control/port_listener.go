package control

import (
	"bytes"
	"errors"
	"net"
	"os"
	"syscall"
)

// preface is the first bytes of every HTTP/2 client; RFC 9113, section 3.4.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// readSize is that of one read from the port.
const readSize = 32 << 10

// Listener accepts the port as a connection whenever a host begins to speak HTTP/2 on it.
//
// The port is opened once and stays open: closing it discards bytes that a host has written
// already, and the host gets no error.
type Listener struct {
	port *os.File
	// next holds what the previous connection leaves, while none is open: the first bytes of the
	// next one, or none.
	next chan []byte
	done chan struct{}
}

// Listen opens the port's device file.
func Listen(path string) (*Listener, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return listen(os.NewFile(uintptr(fd), path)), nil
}

func listen(port *os.File) *Listener {
	l := &Listener{port: port, next: make(chan []byte, 1), done: make(chan struct{})}
	l.next <- nil
	return l
}

// Accept waits for the preface of the next host. A connection without it would run into the
// server's time limit.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case first := <-l.next:
		if first == nil {
			var err error
			if first, err = awaitPreface(l.port); err != nil {
				return nil, err
			}
		}
		return &connection{port: l.port, next: l.next, buffered: first}, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// awaitPreface drops the rest of a connection that broke off, and returns the bytes from the
// preface on.
func awaitPreface(port *os.File) ([]byte, error) {
	var received []byte
	buffer := make([]byte, readSize)
	for {
		n, err := readOnce(port, buffer)
		if err != nil {
			return nil, err
		}
		received = append(received, buffer[:n]...)
		if at := bytes.Index(received, []byte(preface)); at >= 0 {
			return received[at:], nil
		}
		// The end may be the beginning of a preface.
		received = received[max(0, len(received)-len(preface)+1):]
	}
}

// readOnce waits for bytes. The port reads as ended while no host is attached, so an end is a
// reason to wait for the next event of the port here.
func readOnce(port *os.File, buffer []byte) (n int, err error) {
	raw, err := port.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, failed = syscall.Read(int(fd), buffer)
			switch {
			case failed == syscall.EINTR:
				continue
			case failed == syscall.EAGAIN:
				failed = nil
				return false
			default:
				return failed != nil || n > 0
			}
		}
	})
	return n, errors.Join(err, failed)
}

// tryWrite returns how many bytes the port took. The next write returns an error, if there is one.
func tryWrite(port *os.File, data []byte) int {
	raw, err := port.SyscallConn()
	if err != nil {
		return 0
	}
	taken := 0
	err = raw.Write(func(fd uintptr) bool {
		for taken < len(data) {
			n, err := syscall.Write(int(fd), data[taken:])
			if err == syscall.EINTR {
				continue
			}
			if err != nil || n <= 0 {
				break
			}
			taken += n
		}
		return true
	})
	if err != nil {
		return 0
	}
	return taken
}

// Close ends the listener and the port.
func (l *Listener) Close() error {
	close(l.done)
	return l.port.Close()
}

// Addr names the port.
func (l *Listener) Addr() net.Addr { return address(l.port.Name()) }
