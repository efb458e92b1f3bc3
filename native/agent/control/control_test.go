package control

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// port is a stand-in for the guest's device: a socket pair whose other end is the host.
func port(t *testing.T) (*Listener, *os.File) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, host := listen(os.NewFile(uintptr(pair[0]), "port")), os.NewFile(uintptr(pair[1]), "host")
	t.Cleanup(func() { _, _ = l.port.Close(), host.Close() })
	return l, host
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func say(t *testing.T, host *os.File, text string) {
	t.Helper()
	if _, err := host.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestAcceptWaitsForTheHostToSpeak(t *testing.T) {
	l, host := port(t)
	accepted := make(chan net.Conn)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		accepted <- conn
	}()
	say(t, host, preface)
	conn := <-accepted
	expect(t, conn, preface)
	say(t, host, "more")
	expect(t, conn, "more")
}

// Package http reads the header of a frame, and then its payload.
func TestASecondPrefaceIsSeenByAServerThatReadsLittleAtATime(t *testing.T) {
	l, host := port(t)
	say(t, host, preface)
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, first, preface)
	say(t, host, "one frame, and half of anoth")
	for _, part := range []string{"one", " frame,", " and half of anoth"} {
		expect(t, first, part)
	}
	say(t, host, preface+"settings")
	if n, err := first.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		t.Fatalf("the old connection reads %d, %v", n, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, second, preface+"settings")
}

func TestASecondPrefaceBeginsTheNextConnection(t *testing.T) {
	l, host := port(t)
	say(t, host, preface)
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, first, preface)
	say(t, host, preface+"settings")
	for range 2 {
		if n, err := first.Read(make([]byte, 100)); n != 0 || err != io.EOF {
			t.Fatalf("the old connection reads %d, %v", n, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("late")); err == nil {
		t.Error("the old connection still writes")
	}
	second, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, second, preface+"settings")
	if _, err := second.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(host, got); err != nil || string(got) != "answer" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAWriteThatWaitsDoesNotHoldTheNextHostUp(t *testing.T) {
	l, host := port(t)
	say(t, host, preface)
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, first, preface)
	wrote := make(chan error)
	go func() {
		_, err := first.Write(make([]byte, 8<<20))
		wrote <- err
	}()
	say(t, host, preface)
	if _, err := first.Read(make([]byte, 100)); err != io.EOF {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err == nil {
		t.Error("the write went through")
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatABrokenConnectionLeftIsDropped(t *testing.T) {
	l, host := port(t)
	say(t, host, "the rest of a frame"+preface[:10])
	say(t, host, preface[:23])
	say(t, host, preface+"settings")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, conn, preface+"settings")
	// The server gives up on a connection whose host does not notice.
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, host, "more of it")
	say(t, host, preface+"again")
	next, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, next, preface+"again")
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	l, host := port(t)
	say(t, host, preface)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, conn, preface)
	ended := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the read went on")
	}
	say(t, host, preface)
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsAccept(t *testing.T) {
	l, host := port(t)
	say(t, host, preface)
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != net.ErrClosed {
		t.Errorf("got %v", err)
	}
}
