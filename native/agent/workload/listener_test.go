package workload

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
)

func TestTheSocketIsEverybodysAndStaysWhatItIs(t *testing.T) {
	guesttest.NeedRoot(t)
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	directory := "/proc/self/fd/" + strconv.Itoa(l.Mount())
	path := directory + "/" + socketName
	a := answering(t, l, path)
	if status, _ := a.call("GET", "/v1/identity", ""); status != 200 {
		t.Errorf("got %d", status)
	}
	for name, want := range map[string]os.FileMode{path: os.ModeSocket | 0o666, directory: os.ModeDir | 0o755} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
	// Not even root.
	if err := os.Remove(path); !errors.Is(err, syscall.EROFS) {
		t.Errorf("removing it: %v", err)
	}
	if err := os.WriteFile(directory+"/other", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("writing beside it: %v", err)
	}
	if l.Addr().String() != "/run/a3s/agent.sock" {
		t.Errorf("got %s", l.Addr())
	}
}

func TestTheNumberOfConnectionsIsLimited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(-1, socket)
	var accepted []net.Conn
	for range maxConnections {
		client, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, conn)
	}
	if len(l.slots) != maxConnections {
		t.Errorf("got %d", len(l.slots))
	}
	// Closing twice gives one place back.
	_, _ = accepted[0].Close(), accepted[0].Close()
	if len(l.slots) != maxConnections-1 {
		t.Errorf("got %d", len(l.slots))
	}
	l.slots <- struct{}{}
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	for _, conn := range accepted {
		_ = conn.Close()
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
