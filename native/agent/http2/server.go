// Package http2 is the part of HTTP/2 that the control stream needs, of RFC 9113 and RFC 7541: a
// server of one client at a time.
//
// Package net/http does the same and much more. What it executes for a first request is thousands
// of blocks of code that no copy of a guest has executed before, and under emulation each of them
// is translated first, for some ten microseconds.
//
// Only plain guests have it. Their client is the host, which holds their memory and their disks
// already, so a flaw here would give it nothing more. All input is bounded nevertheless, and a
// violation of the protocol ends the connection. Confidential guests, which do not trust the host,
// use net/http: see package httpstream.
package http2

import (
	"errors"
	"net"
	"sync"

	"a3s.dev/box/agent/stream"
)

// Bounds of a connection.
const (
	maxStreams = 256
	// maxFrame is the default, which every client may rely on.
	maxFrame = 16 << 10
	// maxBlock bounds the headers of a request as they are sent.
	maxBlock = 64 << 10
	// streamWindow is how many bytes of one body may be in flight. A body without a reader blocks
	// only itself.
	streamWindow     = 128 << 10
	connectionWindow = 4<<20 - 1
	// maxQueued bounds what waits to be written to a client that does not read.
	maxQueued = 1 << 20
)

// Server serves connections with a handler, one after the other. One goroutine does all of that,
// and has one buffer: in the copy of a guest, neither its stack nor its memory has to grow before
// the first answer.
type Server struct {
	Handler stream.Handler

	mu       sync.Mutex
	listener net.Listener
	open     *connection
	closed   bool
}

// Serve accepts connections until that fails. It closes the listener.
func (s *Server) Serve(listener net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(net.ErrClosed, listener.Close())
	}
	s.listener = listener
	s.mu.Unlock()
	buffer := make([]byte, readBytes)
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		c := newConnection(accepted, s.Handler)
		s.mu.Lock()
		closed := s.closed
		s.open = c
		s.mu.Unlock()
		if closed {
			return errors.Join(net.ErrClosed, accepted.Close())
		}
		c.serve(buffer)
		s.mu.Lock()
		s.open = nil
		s.mu.Unlock()
	}
}

// Close ends the connection, and the listener.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.open != nil {
		s.open.end()
	}
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}
