package control

import (
	"net"
	"os"
	"sync"
)

// connection is one host on the port. It ends when the host detaches.
type connection struct {
	*os.File
	// first holds what was read before the connection was handed out.
	first []byte
	free  chan<- struct{}
	once  sync.Once
}

func (c *connection) Read(buffer []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(buffer, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.File.Read(buffer)
}

func (c *connection) Close() error {
	err := c.File.Close()
	c.once.Do(func() { c.free <- struct{}{} })
	return err
}

func (c *connection) LocalAddr() net.Addr  { return address(c.Name()) }
func (c *connection) RemoteAddr() net.Addr { return address("host") }

type address string

func (address) Network() string  { return "virtio" }
func (a address) String() string { return string(a) }
