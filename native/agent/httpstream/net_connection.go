package httpstream

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Frames of HTTP/2 (RFC 9113, section 4.1), as far as they end a stream.
const (
	frameHeader   = 9
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	flagEndStream = 1
)

// connection counts the streams whose end was written to the host. Package http writes the end of a
// stream after its handler has returned, and does not say when the write has returned.
type connection struct {
	net.Conn

	mu sync.Mutex
	// header has the bytes of a frame's header written so far; left is how many bytes of the frame
	// are missing after it. ends: the frame ends a stream.
	header []byte
	left   int
	ends   bool
	ended  uint64
	// changed is closed by the next end, and closed by Close.
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func newConnection(conn net.Conn) *connection {
	return &connection{Conn: conn, changed: make(chan struct{}), closed: make(chan struct{})}
}

func (c *connection) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	c.count(data[:max(n, 0)])
	return n, err
}

func (c *connection) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// count follows the frames in what was written.
func (c *connection) count(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(data) > 0 {
		if len(c.header) < frameHeader {
			n := min(frameHeader-len(c.header), len(data))
			c.header, data = append(c.header, data[:n]...), data[n:]
			if len(c.header) < frameHeader {
				return
			}
			h := c.header
			c.left = int(h[0])<<16 | int(h[1])<<8 | int(h[2])
			c.ends = h[3] == frameReset || (h[3] == frameData || h[3] == frameHeaders) && h[4]&flagEndStream != 0
		}
		n := min(c.left, len(data))
		c.left, data = c.left-n, data[n:]
		if c.left > 0 {
			return
		}
		c.header = c.header[:0]
		if c.ends {
			c.ended++
			close(c.changed)
			c.changed = make(chan struct{})
		}
	}
}

// endsSoFar returns how many streams have ended, and a channel that the next end closes.
func (c *connection) endsSoFar() (uint64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.changed
}

// awaitEnd waits until more streams than `before` have ended, the connection is closed, or the time
// is over.
func (c *connection) awaitEnd(before uint64, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		ended, changed := c.endsSoFar()
		if ended > before {
			return
		}
		select {
		case <-changed:
		case <-c.closed:
			return
		case <-timer.C:
			return
		}
	}
}

// counted is a listener of such connections.
type counted struct{ net.Listener }

func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConnection(conn), nil
}

type connectionKey struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn.(*connection))
}

// HTTPServer is a server of package http whose connections count the ends of streams.
type HTTPServer struct{ server *http.Server }

// Serve serves the connections of a listener.
func (s *HTTPServer) Serve(l net.Listener) error { return s.server.Serve(counted{l}) }

// Close ends the server and its connections.
func (s *HTTPServer) Close() error { return s.server.Close() }
