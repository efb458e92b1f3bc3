package netlink

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// In a network namespace of its own, where both ends are, but only one of two addresses is said to
// be.
func TestConnectionsThatLeadOutAreReset(t *testing.T) {
	guesttest.NeedRoot(t)
	// Never unlocked: the thread ends with the test.
	runtime.LockOSThread()
	if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	own, outside, loopback := [4]byte{10, 0, 2, 15}, [4]byte{203, 0, 113, 9}, [4]byte{127, 0, 0, 1}
	addresses(t, own, outside)
	out, within := connected(t, own, outside), connected(t, loopback, loopback)

	c, err := OpenDiag()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Disconnect(own); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Read(out.client, make([]byte, 1)); !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("the connection out: got %v, want ECONNABORTED", err)
	}
	if _, err := syscall.Write(within.client, []byte("x")); err != nil {
		t.Errorf("the connection within: %v", err)
	}
	if n, err := syscall.Read(within.server, make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the connection within: read %d, %v", n, err)
	}
	again, err := connect(own, out.listener)
	if err != nil {
		t.Fatalf("what listened listens no more: %v", err)
	}
	syscall.Close(again)
}

func addresses(t *testing.T, all ...[4]byte) {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const lo = 1
	if err := c.Up(lo, 1400); err != nil {
		t.Fatal(err)
	}
	for _, address := range all {
		if err := c.AddAddress(lo, address, 32); err != nil {
			t.Fatal(err)
		}
	}
}

// pair is a connection, and what it was made to.
type pair struct{ listener, client, server int }

func connected(t *testing.T, from, to [4]byte) pair {
	t.Helper()
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(listener) })
	if err := errors.Join(syscall.Bind(listener, &syscall.SockaddrInet4{Addr: to}), syscall.Listen(listener, 4)); err != nil {
		t.Fatal(err)
	}
	client, err := connect(from, listener)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(client) })
	server, _, err := syscall.Accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(server) })
	return pair{listener, client, server}
}

func connect(from [4]byte, listener int) (int, error) {
	to, err := syscall.Getsockname(listener)
	if err != nil {
		return -1, err
	}
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	// Whatever goes wrong, nobody waits for ever.
	timeout := syscall.Timeval{Sec: 10}
	err = errors.Join(
		syscall.SetsockoptTimeval(client, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout),
		syscall.Bind(client, &syscall.SockaddrInet4{Addr: from}),
		syscall.Connect(client, to),
	)
	if err != nil {
		return -1, errors.Join(err, syscall.Close(client))
	}
	return client, nil
}
