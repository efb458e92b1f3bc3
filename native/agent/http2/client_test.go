package http2

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/stream/streamtest"
)

// listen serves on a socket, and answers its path.
func listen(t testing.TB, handler stream.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return path
}

// goClient is Go's own.
func goClient(t *testing.T) *http.Client {
	t.Helper()
	path := listen(t, streamtest.Echo)
	client := streamtest.Client(t, path)
	// The server has one client at a time, and this one would open a connection for each of its
	// first requests.
	if status, _ := streamtest.Send(t, client, "GET", "/early", nil); status != 204 {
		t.Fatalf("got %d", status)
	}
	return client
}

// raw is a client that says what it likes.
type raw struct {
	t    testing.TB
	conn net.Conn
}

// dial serves one connection on a pair of sockets.
func dial(t testing.TB, handler stream.Handler) (*raw, <-chan struct{}) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for index, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		if ends[index], err = net.FileConn(file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		newConnection(ends[1], handler).serve(make([]byte, readBytes))
		close(done)
	}()
	t.Cleanup(func() {
		_ = ends[0].Close()
		<-done
	})
	if err := ends[0].SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, ends[0]}, done
}

// greeted has said its preface and settings.
func greeted(t testing.TB) *raw {
	t.Helper()
	c, _ := dial(t, streamtest.Echo)
	c.say([]byte(preface), appendHeader(nil, 0, typeSettings, 0, 0))
	return c
}

func (c *raw) say(pieces ...[]byte) {
	c.t.Helper()
	for _, piece := range pieces {
		if _, err := c.conn.Write(piece); err != nil {
			c.t.Fatal(err)
		}
	}
}

// readFrame returns the next frame, and io.EOF when there is none.
func (c *raw) readFrame() (frame, error) {
	head := make([]byte, headerBytes)
	if _, err := io.ReadFull(c.conn, head); err != nil {
		return frame{}, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head)>>8)
	_, err := io.ReadFull(c.conn, payload)
	return frame{head[3], head[4], binary.BigEndian.Uint32(head[5:]), payload}, err
}

// await answers the next frame of a kind.
func (c *raw) await(kind byte) frame {
	c.t.Helper()
	for {
		f, err := c.readFrame()
		if err != nil {
			c.t.Fatalf("no frame of kind %d: %v", kind, err)
		}
		if f.kind == kind {
			return f
		}
	}
}

func raise(kind, flags byte, stream uint32, payload ...byte) []byte {
	return append(appendHeader(nil, len(payload), kind, flags, stream), payload...)
}

// request asks for a path by GET.
func request(stream uint32, flags byte, path string) []byte {
	block := append([]byte{0x82, 0x86, 0x04, byte(len(path))}, path...)
	return raise(typeHeaders, flags|flagEndHeaders, stream, block...)
}
