package box

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"a3s.dev/box/agent/linux"
)

const (
	// maxSockets bounds the requests about sockets that are open at once. Each has two buffers.
	maxSockets = 128
	// maxPorts bounds the ports that the agent listens on.
	maxPorts = 4
)

// ErrTooManySockets is a request about a socket beyond those numbers.
var ErrTooManySockets = errors.New("too many sockets of the box are in use already")

// errGone ends the wait of a request that is gone.
var errGone = errors.New("the request is gone")

// SocketError is a socket of the box that cannot be used.
type SocketError struct{ Err error }

func (e *SocketError) Error() string { return e.Err.Error() }
func (e *SocketError) Unwrap() error { return e.Err }

// sockets has the ports that the agent listens on in the box's network.
type sockets struct {
	open atomic.Int32

	mu     sync.Mutex
	ports  map[int]*port
	closed bool
}

// port hands out connections, one to each request that asks for one.
type port struct {
	listener net.Listener
	accepted chan net.Conn
	// closed is closed when the box ends.
	closed chan struct{}
}

// UseSocket takes a place among the requests about sockets, which the returned function gives back.
func (b *Box) UseSocket() (done func(), err error) {
	open := &b.sockets.open
	if open.Add(1) > maxSockets {
		open.Add(-1)
		return nil, ErrTooManySockets
	}
	return func() { open.Add(-1) }, nil
}

// Connect connects to the Unix socket that a path names for a process of the box.
func (b *Box) Connect(path string) (*net.UnixConn, error) {
	b.mu.Lock()
	sandbox, err := b.sandbox, b.expectOwn()
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	conn, err := sandbox.Connect(path)
	var failed *linux.Error
	if errors.As(err, &failed) && failed.Op == "connect" {
		return nil, &SocketError{err}
	}
	return conn, err
}

// dialTimeout bounds a connection within the box: nothing of it leaves the guest.
const dialTimeout = 10 * time.Second

// Dial connects to a port of the box's loopback: to 127.0.0.1, and where nobody listens there, to
// ::1.
func (b *Box) Dial(number int) (net.Conn, error) {
	dialed, err := inNetwork(b, func() (net.Conn, error) {
		// One address after the other, on this thread: the resolver and parallel attempts of
		// package net would use threads in another network.
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err := dialer.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
		if err == nil {
			return conn, nil
		}
		if conn, err6 := dialer.Dial("tcp6", net.JoinHostPort("::1", strconv.Itoa(number))); err6 == nil {
			return conn, nil
		}
		return nil, err
	})
	var failed *net.OpError
	if errors.As(err, &failed) {
		return nil, &SocketError{err}
	}
	return dialed, err
}

// Accept returns the next connection that a process of the box makes to a port of 127.0.0.1. The
// agent listens there from the first of these requests on, so connections wait for one. Closing
// `gone` ends the wait.
func (b *Box) Accept(number int, gone <-chan struct{}) (net.Conn, error) {
	p, err := b.listenOn(number)
	if err != nil {
		return nil, err
	}
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, ErrStopping
	case <-gone:
		return nil, errGone
	}
}

func (b *Box) listenOn(number int) (*port, error) {
	s := &b.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrStopping
	}
	if p := s.ports[number]; p != nil {
		return p, nil
	}
	if len(s.ports) >= maxPorts {
		return nil, ErrTooManySockets
	}
	listener, err := b.Listen(net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	if err != nil {
		var failed *net.OpError
		if errors.As(err, &failed) {
			return nil, &SocketError{err}
		}
		return nil, err
	}
	p := &port{listener, make(chan net.Conn), make(chan struct{})}
	if s.ports == nil {
		s.ports = map[int]*port{}
	}
	s.ports[number] = p
	go p.serve()
	return p, nil
}

// serve takes one connection at a time: the kernel keeps the others waiting.
func (p *port) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		select {
		case p.accepted <- conn:
		case <-p.closed:
			_ = conn.Close()
			return
		}
	}
}

// close ends the waits, and lets nobody connect any more.
func (s *sockets) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	for number, p := range s.ports {
		close(p.closed)
		err = errors.Join(err, p.listener.Close())
		delete(s.ports, number)
	}
	return err
}
