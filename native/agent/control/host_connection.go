package control

import (
	"bytes"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// connection is the connection of one host on the port. It ends when the host detaches.
//
// A host that attaches at once after another has detached may leave no trace of the change on the
// port but its preface. A read that begins with one therefore ends this connection and begins the
// next. Should a body ever happen to be cut just so, its host connects again, as it does after any
// loss.
type connection struct {
	port *os.File
	next chan<- []byte
	once sync.Once

	// reading is held by a read, and protects buffered, successor and ended.
	reading sync.Mutex
	// buffered was read from the port before the server asked for it.
	buffered []byte
	// space is the buffer for servers that ask for few bytes at a time.
	space     []byte
	successor []byte
	ended     bool
	// writing is held by a write, and protects closed: no write reaches into the next connection.
	writing sync.Mutex
	closed  bool
}

func (c *connection) Read(buffer []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.ended {
		return 0, io.EOF
	}
	if len(c.buffered) > 0 {
		n := copy(buffer, c.buffered)
		c.buffered = c.buffered[n:]
		return n, nil
	}
	// A preface has to be read in one piece.
	into := buffer
	if len(buffer) < readSize {
		if c.space == nil {
			c.space = make([]byte, readSize)
		}
		into = c.space
	}
	n, err := c.port.Read(into)
	if bytes.HasPrefix(into[:n], []byte(preface)) {
		c.successor = slices.Clone(into[:n])
		n, err = 0, io.EOF
	}
	if err != nil {
		c.ended = true
		return 0, err
	}
	if len(buffer) < readSize {
		c.buffered = into[:n]
		n = copy(buffer, c.buffered)
		c.buffered = c.buffered[n:]
	}
	return n, nil
}

func (c *connection) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.port.Write(data)
}

// TryWrite writes what the port takes without waiting.
func (c *connection) TryWrite(data []byte) int {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return 0
	}
	return tryWrite(c.port, data)
}

// Close leaves the port to the next connection.
func (c *connection) Close() error {
	err := net.ErrClosed
	c.once.Do(func() { err = c.leave() })
	return err
}

func (c *connection) leave() error {
	// Every reader and writer ends here. What was written of a frame already makes the next host
	// try again.
	if err := c.port.SetDeadline(time.Now()); err != nil {
		return err
	}
	c.writing.Lock()
	c.closed = true
	c.writing.Unlock()
	c.reading.Lock()
	c.ended = true
	successor := c.successor
	c.reading.Unlock()
	if err := c.port.SetDeadline(time.Time{}); err != nil {
		return err
	}
	c.next <- successor
	return nil
}

// The port's deadlines belong to leave: the server of the control stream sets none.
func (c *connection) SetDeadline(time.Time) error      { return nil }
func (c *connection) SetReadDeadline(time.Time) error  { return nil }
func (c *connection) SetWriteDeadline(time.Time) error { return nil }
func (c *connection) LocalAddr() net.Addr              { return address(c.port.Name()) }
func (c *connection) RemoteAddr() net.Addr             { return address("host") }

type address string

func (address) Network() string  { return "virtio" }
func (a address) String() string { return string(a) }
