package workload

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Directory is where the box finds the socket, and socketName is its name there.
const (
	Directory  = "/run/a3s"
	socketName = "agent.sock"
)

// maxConnections bounds those that are served at once; others wait.
const maxConnections = 32

// Listener is a socket in a filesystem of its own, which is not written to.
type Listener struct {
	mount  int
	socket net.Listener
	slots  chan struct{}
	done   chan struct{}
	once   sync.Once
}

// Listen makes the socket. Its filesystem is attached nowhere yet.
func Listen() (*Listener, error) {
	mount, err := linux.NewMount("tmpfs", linux.Nodev|linux.Nosuid|linux.Noexec,
		linux.Option{Key: "source", Value: "a3s"},
		linux.Option{Key: "mode", Value: "0755"},
		linux.Option{Key: "size", Value: "64k"},
		linux.Option{Key: "nr_inodes", Value: "8"},
	)
	if err != nil {
		return nil, err
	}
	socket, err := bind(mount)
	if err != nil {
		return nil, errors.Join(err, syscall.Close(mount))
	}
	return newListener(mount, socket), nil
}

func newListener(mount int, socket net.Listener) *Listener {
	return &Listener{mount: mount, socket: socket, slots: make(chan struct{}, maxConnections), done: make(chan struct{})}
}

// bind makes a socket that every user of the box may connect to, and that none of them can put
// another in the place of.
func bind(mount int) (net.Listener, error) {
	path := "/proc/self/fd/" + strconv.Itoa(mount) + "/" + socketName
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// It ends with its filesystem.
	socket.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(path, 0o666), linux.SetAttributes(mount, linux.Readonly, false)); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

// Mount is open on the filesystem, for the box to attach to Directory. It stays the Listener's own.
func (l *Listener) Mount() int { return l.mount }

// Accept waits until there are fewer connections than may be.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	conn, err := l.socket.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &counted{Conn: conn, leave: func() { <-l.slots }}, nil
}

// Close ends the socket and lets go of the filesystem.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.done)
		err = l.socket.Close()
		if l.mount >= 0 {
			err = errors.Join(err, syscall.Close(l.mount))
		}
	})
	return err
}

// Addr names the socket as the box does.
func (l *Listener) Addr() net.Addr {
	return &net.UnixAddr{Name: Directory + "/" + socketName, Net: "unix"}
}

// counted is a connection that leaves its place once it is closed.
type counted struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}
