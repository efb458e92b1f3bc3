// Package control is the guest's end of the control stream: one virtio-serial port, one host at a time.
package control

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/uevent"
)

// Name is what the host calls the port.
const Name = "a3s.control"

// reopenInterval is for a port that is still busy with its previous opening: nothing tells when that is over.
const reopenInterval = time.Millisecond

// Find waits for the port and answers its device file.
func Find(deadline time.Duration) (string, error) {
	const ports = "/sys/class/virtio-ports"
	return uevent.Wait(deadline, func() (string, bool, error) {
		entries, err := os.ReadDir(ports)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", false, err
		}
		for _, entry := range entries {
			name, err := os.ReadFile(ports + "/" + entry.Name() + "/name")
			if err == nil && strings.TrimSpace(string(name)) == Name {
				return "/dev/" + entry.Name(), true, nil
			}
		}
		return "", false, nil
	})
}

// Listener hands out the port as a connection whenever a host has begun to speak on it.
type Listener struct {
	path string
	// free holds one token while no connection is open.
	free chan struct{}
	done chan struct{}
}

// Listen makes a listener on the port's device file.
func Listen(path string) *Listener {
	l := &Listener{path: path, free: make(chan struct{}, 1), done: make(chan struct{})}
	l.free <- struct{}{}
	return l
}

// Accept waits for the first bytes of the next host. A connection without any would run into the server's time limit for a preface.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.free:
	case <-l.done:
		return nil, net.ErrClosed
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
	return &connection{File: file, first: first[:n], free: l.free}, nil
}

func (l *Listener) open() (*os.File, error) {
	for {
		fd, err := syscall.Open(l.path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), l.path), nil
		case syscall.EINTR:
		case syscall.EBUSY:
			time.Sleep(reopenInterval)
		default:
			return nil, &os.PathError{Op: "open", Path: l.path, Err: err}
		}
	}
}

// awaitHost reads the first bytes. The port reads as ended while no host is attached, so an end is a reason to wait for the next event of
// the port here.
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
func (l *Listener) Addr() net.Addr { return address(l.path) }
