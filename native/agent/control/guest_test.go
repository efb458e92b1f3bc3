//go:build guest

package control

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

func TestMain(m *testing.M) {
	guesttest.Start("")
	guesttest.End(m.Run())
}

// localCID is the address of a guest for itself; its kernel has the module vsock_loopback.
const localCID = 1

// connectVsock connects to a vsock port of this guest.
func connectVsock(t *testing.T, port uint32) *os.File {
	t.Helper()
	const afVsock = 40
	fd, err := syscall.Socket(afVsock, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	address := [4]uint32{afVsock, port, localCID, 0}
	_, _, errno := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address))
	if errno != 0 {
		t.Fatal(errno)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(fd), "client")
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestTheKernelsVsockCarriesConnections(t *testing.T) {
	socket, err := linux.ListenVsock(VsockPort)
	if err != nil {
		t.Fatal(err)
	}
	// This guest stands for the host.
	l := listenVsock(os.NewFile(uintptr(socket), "vsock"), func(fd int) (int, uint32, error) {
		connection, cid, err := linux.AcceptVsock(fd)
		if err == nil && cid != localCID {
			err = errors.New("it comes from elsewhere")
		}
		return connection, linux.HostCID, err
	})
	defer l.Close()
	first := connectVsock(t, VsockPort)
	say(t, first, "hello")
	conn := accept(t, l)
	expect(t, conn, "hello")
	big := make([]byte, 1<<20)
	go func() { _, _ = conn.Write(big) }()
	if _, err := io.ReadFull(first, big); err != nil {
		t.Fatal(err)
	}
	second := connectVsock(t, VsockPort)
	say(t, second, "again")
	expect(t, accept(t, l), "again")
	if n, err := first.Read(big); n != 0 || err == nil {
		t.Errorf("the first connection reads %d, %v", n, err)
	}
}

func TestAProcessOfTheGuestGetsNoAnswerOverVsock(t *testing.T) {
	l, err := ListenVsock(VsockPort + 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := connectVsock(t, VsockPort+1)
	if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("it reads %d, %v", n, err)
	}
}

func TestAPortOfVsockIsListenedOnOnce(t *testing.T) {
	l, err := ListenVsock(VsockPort + 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := ListenVsock(VsockPort + 2); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}
