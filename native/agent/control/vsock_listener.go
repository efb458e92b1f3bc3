package control

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// VsockPort is the port that the host connects to in guests of libkrun, which have no virtio-serial
// port that a host attaches to and detaches from.
const VsockPort = 1024

// VsockListener accepts the host's connections on a vsock port. A host connects anew when it has
// lost its connection, and may know that before this end does: a new connection ends the one
// before.
type VsockListener struct {
	socket *os.File
	accept func(socket int) (connection int, cid uint32, err error)
	next   chan *vsockConnection
	failed chan error
	done   chan struct{}
	once   sync.Once
}

// ListenVsock listens on a vsock port.
func ListenVsock(port uint32) (*VsockListener, error) {
	socket, err := linux.ListenVsock(port)
	if err != nil {
		return nil, err
	}
	return listenVsock(os.NewFile(uintptr(socket), "vsock:"+strconv.Itoa(int(port))), linux.AcceptVsock), nil
}

func listenVsock(socket *os.File, accept func(int) (int, uint32, error)) *VsockListener {
	l := &VsockListener{
		socket: socket, accept: accept,
		next: make(chan *vsockConnection), failed: make(chan error, 1), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// run accepts connections, and offers the newest.
func (l *VsockListener) run() {
	var newest *vsockConnection
	arrived := make(chan *vsockConnection)
	go func() {
		for {
			c, err := l.acceptOne()
			if err != nil {
				l.failed <- err
				return
			}
			select {
			case arrived <- c:
			case <-l.done:
				_ = c.Close()
				return
			}
		}
	}()
	// A nil channel takes nothing.
	var offered chan *vsockConnection
	for {
		select {
		case c := <-arrived:
			if newest != nil {
				// It ends the server's reads. The server closes it as well.
				_ = newest.Close()
			}
			newest, offered = c, l.next
		case offered <- newest:
			offered = nil
		case <-l.done:
			if newest != nil {
				_ = newest.Close()
			}
			return
		}
	}
}

// acceptOne waits for a connection of the host. Others are closed: a process of the guest that has
// found a way to its own vsock ports is not the host.
func (l *VsockListener) acceptOne() (*vsockConnection, error) {
	raw, err := l.socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		connection, cid := -1, uint32(0)
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			connection, cid, failed = l.accept(int(fd))
			return !errors.Is(failed, syscall.EAGAIN)
		})
		switch {
		case err != nil:
			return nil, err
		case errors.Is(failed, syscall.ECONNABORTED):
			continue
		case failed != nil:
			return nil, failed
		case cid != linux.HostCID:
			if err := syscall.Close(connection); err != nil {
				return nil, err
			}
		default:
			return &vsockConnection{os.NewFile(uintptr(connection), l.socket.Name())}, nil
		}
	}
}

// Accept waits for the next connection of the host.
func (l *VsockListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.next:
		return c, nil
	case err := <-l.failed:
		l.failed <- err
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends the listener and what it has accepted.
func (l *VsockListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.done)
		err = l.socket.Close()
	})
	return err
}

// Addr names the port.
func (l *VsockListener) Addr() net.Addr { return address(l.socket.Name()) }

// vsockConnection is one connection of the host. Its deadlines are those of the file.
type vsockConnection struct{ *os.File }

// Close is for two: the listener that has a newer connection, and the server.
func (c *vsockConnection) Close() error {
	err := c.File.Close()
	if errors.Is(err, fs.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// TryWrite writes what the connection takes without waiting.
func (c *vsockConnection) TryWrite(data []byte) int { return tryWrite(c.File, data) }

func (c *vsockConnection) LocalAddr() net.Addr  { return address(c.Name()) }
func (c *vsockConnection) RemoteAddr() net.Addr { return address("host") }
