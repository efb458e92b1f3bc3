package control

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// reopenInterval is for a port that is still busy with its previous opening: nothing tells when that is over.
const reopenInterval = time.Millisecond

// Listener hands out the port as a connection whenever a host has begun to speak on it.
type Listener struct {
	name string
	open func() (*os.File, error)
	// next holds what the previous connection leaves: nothing, while one is open.
	next chan remains
	done chan struct{}
}

// remains is the port as a connection leaves it: closed and without first bytes, or open and with those of the next host.
type remains struct {
	file  *os.File
	first []byte
}

// Listen makes a listener on the port's device file.
func Listen(path string) *Listener {
	return listen(path, func() (*os.File, error) { return openPort(path) })
}

func listen(name string, open func() (*os.File, error)) *Listener {
	l := &Listener{name: name, open: open, next: make(chan remains, 1), done: make(chan struct{})}
	l.next <- remains{}
	return l
}

// Accept waits for the first bytes of the next host. A connection without any would run into the server's time limit
// for a preface.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case left := <-l.next:
		return l.accept(left)
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *Listener) accept(left remains) (net.Conn, error) {
	if left.file != nil {
		return newConnection(left.file, left.first, l.next), nil
	}
	file, err := l.open()
	if err != nil {
		return nil, err
	}
	first := make([]byte, 4096)
	n, err := awaitHost(file, first)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return newConnection(file, first[:n], l.next), nil
}

func openPort(path string) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case syscall.EINTR:
		case syscall.EBUSY:
			time.Sleep(reopenInterval)
		default:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// awaitHost reads the first bytes. The port reads as ended while no host is attached, so an end is a reason to wait for
// the next event of the port here.
func awaitHost(file *os.File, buffer []byte) (n int, err error) {
	raw, err := file.SyscallConn()
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

// Close ends the listener, not its connection.
func (l *Listener) Close() error {
	close(l.done)
	return nil
}

// Addr names the port.
func (l *Listener) Addr() net.Addr { return address(l.name) }
