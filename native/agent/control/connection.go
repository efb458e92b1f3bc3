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

// preface is what every HTTP/2 client says first; RFC 9113, section 3.4.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// connection is one host on the port. It ends when the host detaches.
//
// A host that attaches at once after another has detached may leave no trace of the change on the port but its preface. A read
// that begins with one therefore ends this connection and begins the next. Should a body ever
// happen to be cut just so, its host connects again, as it does after any loss.
type connection struct {
	file *os.File
	next chan<- remains
	once sync.Once

	// first holds what was read before the connection was handed out. Reads come from one goroutine.
	first []byte

	mu        sync.Mutex
	successor []byte
	// writing is held by a write, so that none reaches into the next connection.
	writing sync.Mutex
	closed  bool
}

func newConnection(file *os.File, first []byte, next chan<- remains) *connection {
	return &connection{file: file, first: first, next: next}
}

func (c *connection) Read(buffer []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(buffer, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	c.mu.Lock()
	ended := c.successor != nil
	c.mu.Unlock()
	if ended {
		return 0, io.EOF
	}
	n, err := c.file.Read(buffer)
	if !bytes.HasPrefix(buffer[:n], []byte(preface)) {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.successor = slices.Clone(buffer[:n])
	return 0, io.EOF
}

func (c *connection) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.file.Write(data)
}

func (c *connection) Close() error {
	err := net.ErrClosed
	c.once.Do(func() { err = c.leave() })
	return err
}

func (c *connection) leave() error {
	c.mu.Lock()
	successor := c.successor
	c.mu.Unlock()
	if successor == nil {
		err := c.file.Close()
		c.next <- remains{}
		return err
	}
	// A write that waits for the old host ends here; what it has written already makes the new host try again.
	err := c.file.SetWriteDeadline(time.Now())
	c.writing.Lock()
	c.closed = true
	c.writing.Unlock()
	if err == nil {
		err = c.file.SetDeadline(time.Time{})
	}
	c.next <- remains{c.file, successor}
	return err
}

func (c *connection) SetDeadline(t time.Time) error      { return c.file.SetDeadline(t) }
func (c *connection) SetReadDeadline(t time.Time) error  { return c.file.SetReadDeadline(t) }
func (c *connection) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }
func (c *connection) LocalAddr() net.Addr                { return address(c.file.Name()) }
func (c *connection) RemoteAddr() net.Addr               { return address("host") }

type address string

func (address) Network() string  { return "virtio" }
func (a address) String() string { return string(a) }
