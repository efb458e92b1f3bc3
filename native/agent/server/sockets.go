package server

import (
	"errors"
	"io"
	"net"
	"strings"

	"a3s.dev/box/agent/stream"
)

const (
	// socketBuffer is the number of bytes of a connection that are copied at once.
	socketBuffer = 32 << 10
	// maxSocketPath is what fits in an address of the kernel, with the zero that ends it.
	maxSocketPath = 107
)

// half is a connection of which the direction to the box can end alone.
type half interface {
	net.Conn
	CloseWrite() error
}

// connect carries a connection to a Unix socket of the box.
func (s *Server) connect(t stream.Stream, _ []byte, _ string) {
	path, ok := strings.CutPrefix(t.Head().Query, "path=")
	if !ok || !isSocketPath(path) {
		writeError(t, &Error{"invalid", "path is not an absolute path of letters, digits, `.`, `_`, `-` and `/` that fits a socket's address, and nothing else"})
		return
	}
	s.carry(t, func(<-chan struct{}) (net.Conn, error) { return s.Box.Connect(path) })
}

// accept carries the next connection to a port of the box.
func (s *Server) accept(t stream.Stream, _ []byte, _ string) {
	port, err := portOf(t)
	if err != nil {
		writeError(t, err)
		return
	}
	s.carry(t, func(gone <-chan struct{}) (net.Conn, error) { return s.Box.Accept(port, gone) })
}

// dial carries a connection to a port of the loopback.
func (s *Server) dial(t stream.Stream, _ []byte, _ string) {
	port, err := portOf(t)
	if err != nil {
		writeError(t, err)
		return
	}
	s.carry(t, func(<-chan struct{}) (net.Conn, error) { return s.Box.Dial(port) })
}

// portOf reads the port that a request names.
func portOf(t stream.Stream) (int, error) {
	text, ok := strings.CutPrefix(t.Head().Query, "port=")
	port := parseNumber(text, 65535)
	if !ok || port < 1 {
		return 0, &Error{"invalid", "port is not a number from 1 to 65535, and nothing else"}
	}
	return port, nil
}

// isSocketPath leaves nothing to be escaped in a query.
func isSocketPath(path string) bool {
	if len(path) < 2 || len(path) > maxSocketPath || path[0] != '/' {
		return false
	}
	for index := range len(path) {
		c := path[index]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-/", rune(c)) {
			return false
		}
	}
	return true
}

// carry answers with the bytes of a connection of the box, and gives it those of the request. The
// end of the request's body ends that direction alone; the end of the connection ends both.
func (s *Server) carry(t stream.Stream, open func(gone <-chan struct{}) (net.Conn, error)) {
	s.queue.after("", func() {
		done, err := s.Box.UseSocket()
		if err != nil {
			writeError(t, err)
			return
		}
		gone := make(chan struct{})
		t.OnEnd(func() {
			close(gone)
			done()
		})
		go func() {
			conn, err := open(gone)
			if err != nil {
				writeError(t, err)
				return
			}
			t.OnEnd(func() { _ = conn.Close() })
			t.Begin(200, "application/octet-stream")
			go copyToSocket(t, conn.(half))
			copyFromSocket(conn, t)
		}()
	})
}

func copyToSocket(from stream.Stream, to half) {
	buffer := make([]byte, socketBuffer)
	for {
		n, err := from.Read(buffer)
		if err == nil {
			_, err = to.Write(buffer[:n])
		}
		switch {
		case errors.Is(err, io.EOF):
			// The box sees the end of what the host sends, and may still answer.
			_ = to.CloseWrite()
			return
		case err != nil:
			_ = to.Close()
			return
		}
	}
}

func copyFromSocket(from net.Conn, to stream.Stream) {
	buffer := make([]byte, stream.Room+socketBuffer)
	for {
		n, err := from.Read(buffer[stream.Room:])
		if err != nil && !errors.Is(err, io.EOF) {
			// The host must not take a connection that broke for one that ended.
			to.Reset(stream.InternalError)
			return
		}
		if to.Write(buffer[:stream.Room+n], err != nil) != nil || err != nil {
			return
		}
	}
}
