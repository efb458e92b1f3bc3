package redirect_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/redirect"
)

const (
	address = "127.0.0.11"
	asked   = address + ":53"
	// program is a variable that has this test run as a program of the box: one that connects, or
	// one that does all.
	program = "A3S_TEST_PROGRAM"
)

func TestMain(m *testing.M) {
	if os.Getenv(program) == "" {
		os.Exit(m.Run())
	}
	for _, network := range []string{"udp4", "tcp4", "udp6", "tcp6"} {
		fmt.Println(network, connected(network))
	}
	if os.Getenv(program) == "connect" {
		return
	}
	for _, network := range []string{"udp4", "udp6"} {
		fmt.Println("unconnected", network, unconnected(network))
	}
	for _, network := range []string{"udp4", "udp6"} {
		fmt.Println("forged", network, forged(network))
	}
	// The port is free.
	packets, err := net.ListenPacket("udp4", "0.0.0.0:53")
	listener, failed := net.Listen("tcp4", "0.0.0.0:53")
	fmt.Println("listen", err, failed)
	fmt.Println("beside", connected("udp4"))
	_, _ = packets.Close(), listener.Close()
}

// connected returns what answers, and the address that the socket is connected to.
func connected(network string) string {
	to := asked
	if strings.HasSuffix(network, "6") {
		to = "[::ffff:" + address + "]:53"
	}
	conn, err := dialMapped(network, to)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 16)
	_, _ = conn.Write([]byte("hello"))
	n, err := conn.Read(buffer)
	if err != nil {
		return err.Error()
	}
	return string(buffer[:n]) + " " + peer(conn)
}

// dialMapped has an IPv6 socket where the network is udp6 or tcp6: package net takes IPv4 for an
// IPv4 address.
func dialMapped(network, to string) (net.Conn, error) {
	if strings.HasSuffix(network, "4") {
		return net.Dial(network, to)
	}
	kind := syscall.SOCK_DGRAM
	if network == "tcp6" {
		kind = syscall.SOCK_STREAM
	}
	fd, err := syscall.Socket(syscall.AF_INET6, kind, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), network)
	defer file.Close()
	if err := syscall.Connect(fd, mapped()); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

func mapped() *syscall.SockaddrInet6 {
	return &syscall.SockaddrInet6{Port: 53, Addr: netip.MustParseAddr("::ffff:" + address).As16()}
}

func peer(conn net.Conn) string {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err.Error()
	}
	name := ""
	_ = raw.Control(func(fd uintptr) {
		found, err := syscall.Getpeername(int(fd))
		name = fmt.Sprint(text(found), err)
	})
	return name
}

func text(found syscall.Sockaddr) string {
	switch found := found.(type) {
	case *syscall.SockaddrInet4:
		return fmt.Sprint(netip.AddrFrom4(found.Addr), " ", found.Port, " ")
	case *syscall.SockaddrInet6:
		return fmt.Sprint(netip.AddrFrom16(found.Addr), " ", found.Port, " ")
	}
	return ""
}

// unconnected returns what answers, and where that comes from.
func unconnected(network string) string {
	family, to := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: 53, Addr: netip.MustParseAddr(address).As4()})
	if network == "udp6" {
		family, to = syscall.AF_INET6, mapped()
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err.Error()
	}
	defer syscall.Close(fd)
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5})
	if err := syscall.Sendto(fd, []byte("hello"), 0, to); err != nil {
		return err.Error()
	}
	buffer := make([]byte, 16)
	n, from, err := syscall.Recvfrom(fd, buffer, 0)
	return fmt.Sprint(string(buffer[:max(n, 0)]), " ", text(from), err)
}

// forged returns what a client sees of a message that another program of the box sends it from
// the port that clients name.
func forged(network string) string {
	forger, err := net.ListenPacket("udp4", asked)
	if err != nil {
		return err.Error()
	}
	defer forger.Close()
	// The socket of the second takes IPv4 in the form of IPv6.
	client, err := net.ListenPacket("udp", map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::]:0"}[network])
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(5 * time.Second))
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: client.LocalAddr().(*net.UDPAddr).Port}
	if _, err := forger.WriteTo([]byte("forged"), to); err != nil {
		return err.Error()
	}
	buffer := make([]byte, 16)
	n, from, err := client.ReadFrom(buffer)
	if err != nil {
		return err.Error()
	}
	if from.String() == asked {
		return string(buffer[:n]) + " as the server"
	}
	return string(buffer[:n])
}

// On the kernel that the tests run on: in two network namespaces, of which one is redirected.
func TestSocketsOfAGroupReachThePortThatIsServed(t *testing.T) {
	guesttest.NeedRoot(t)
	top := t.TempDir()
	if err := syscall.Mount("cgroup2", top, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(top, syscall.MNT_DETACH) })
	path, err := os.MkdirTemp(top, "a3s-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	group, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	const answers = "udp4 served 127.0.0.11 53 <nil>\ntcp4 served 127.0.0.11 53 <nil>\n" +
		"udp6 served ::ffff:127.0.0.11 53 <nil>\ntcp6 served ::ffff:127.0.0.11 53 <nil>\n" +
		"unconnected udp4 served 127.0.0.11 53 <nil>\nunconnected udp6 served ::ffff:127.0.0.11 53 <nil>\n" +
		"forged udp4 forged\nforged udp6 forged\n" +
		"listen <nil> <nil>\nbeside served 127.0.0.11 53 <nil>\n"
	inNetwork(t, func() {
		serve(t, int(group.Fd()))
		if got := run(t, group, "all"); got != answers {
			t.Errorf("got %s", got)
		}
	})
	inNetwork(t, func() {
		got := run(t, group, "connect")
		if strings.Contains(got, "served") || strings.Count(got, "connection refused") != 4 {
			t.Errorf("in another network: got %s", got)
		}
	})
}

// inNetwork runs a function on a thread in a network namespace of its own.
func inNetwork(t *testing.T, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with this function.
		runtime.LockOSThread()
		if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
			return
		}
		work()
	}()
	<-done
}

// serve answers at a port of the address, to which a group is redirected.
func serve(t *testing.T, group int) {
	t.Helper()
	packets, err := net.ListenPacket("udp4", address+":0")
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { _ = packets.Close() })
	served := netip.MustParseAddrPort(packets.LocalAddr().String())
	listener, err := net.Listen("tcp4", served.String())
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			_, client, err := packets.ReadFrom(make([]byte, 16))
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte("served"), client)
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// Until the client has closed its end, it can ask who this is.
			go func() {
				defer conn.Close()
				_, _ = conn.Write([]byte("served"))
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	raw, err := packets.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	ports := redirect.Ports{Address: served.Addr(), Asked: 53, Served: served.Port()}
	_ = raw.Control(func(fd uintptr) { ports.Network, err = linux.NetworkCookie(int(fd)) })
	if err != nil || ports.Network == 0 {
		t.Errorf("cookie %d: %v", ports.Network, err)
	}
	for _, program := range ports.Programs() {
		if err := linux.RewriteAddresses(group, program.Hook, program.Instructions); err != nil {
			t.Errorf("hook %d: %v", program.Hook, err)
		}
	}
}

// run runs this test as a program of the group, in the network of this thread.
func run(t *testing.T, group *os.File, what string) string {
	t.Helper()
	self := exec.Command("/proc/self/exe")
	self.Env = append(os.Environ(), program+"="+what)
	self.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	out, err := self.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}
