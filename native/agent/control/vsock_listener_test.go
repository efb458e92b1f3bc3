package control

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"a3s.dev/box/agent/linux"
)

// vsock is a stand-in for vsock: a unix socket, whose clients come from the address that is set.
func vsock(t *testing.T) (l *VsockListener, from *atomic.Uint32, connect func() *os.File) {
	t.Helper()
	address := &syscall.SockaddrUnix{Name: filepath.Join(t.TempDir(), "vsock")}
	open := func(flags int) int {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	socket := open(syscall.SOCK_NONBLOCK)
	if err := errors.Join(syscall.Bind(socket, address), syscall.Listen(socket, 8)); err != nil {
		t.Fatal(err)
	}
	from = new(atomic.Uint32)
	from.Store(linux.HostCID)
	l = listenVsock(os.NewFile(uintptr(socket), "vsock"), func(fd int) (int, uint32, error) {
		connection, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
		return connection, from.Load(), err
	})
	t.Cleanup(func() { _ = l.Close() })
	return l, from, func() *os.File {
		fd := open(0)
		if err := syscall.Connect(fd, address); err != nil {
			t.Fatal(err)
		}
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		host := os.NewFile(uintptr(fd), "host")
		t.Cleanup(func() { _ = host.Close() })
		return host
	}
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestAHostIsServedOverVsock(t *testing.T) {
	l, _, connect := vsock(t)
	host := connect()
	say(t, host, "hello")
	conn := accept(t, l)
	expect(t, conn, "hello")
	if n := conn.(*vsockConnection).TryWrite([]byte("answer")); n != 6 {
		t.Fatalf("took %d bytes", n)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(host, got); err != nil || string(got) != "answer" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(got); n != 0 || err != io.EOF {
		t.Fatalf("read %d, %v after the host has left", n, err)
	}
}

func TestANewVsockConnectionEndsTheOneBefore(t *testing.T) {
	l, _, connect := vsock(t)
	first := connect()
	say(t, first, "1")
	conn := accept(t, l)
	expect(t, conn, "1")
	ended := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	second := connect()
	say(t, second, "2")
	if err := <-ended; err == nil {
		t.Fatal("the read went on")
	}
	if err := conn.Close(); err != net.ErrClosed {
		t.Fatalf("closed twice: %v", err)
	}
	expect(t, accept(t, l), "2")
	if n, err := first.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("the first host reads %d, %v", n, err)
	}
}

func TestNobodyButTheHostIsServedOverVsock(t *testing.T) {
	l, from, connect := vsock(t)
	const guest = 3
	from.Store(guest)
	other := connect()
	if n, err := other.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("a process of the guest reads %d, %v", n, err)
	}
	from.Store(linux.HostCID)
	say(t, connect(), "host")
	expect(t, accept(t, l), "host")
}

func TestCloseEndsAVsockListener(t *testing.T) {
	l, _, connect := vsock(t)
	host := connect()
	accept(t, l)
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("accept went on")
	}
	if n, err := host.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the host reads %d, %v", n, err)
	}
	if err := l.Close(); err != net.ErrClosed {
		t.Errorf("closed twice: %v", err)
	}
}
