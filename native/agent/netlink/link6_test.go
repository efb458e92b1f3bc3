package netlink

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// In a network namespace of its own the kernel itself is the judge.
func TestTheKernelTakesTheMessagesOfIPv6(t *testing.T) {
	guesttest.NeedRoot(t)
	// Never unlocked: the thread ends with the test.
	runtime.LockOSThread()
	if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	card := newCard(t, c)
	six := func(text string) [16]byte { return netip.MustParseAddr(text).As16() }
	own, prefix, router := six("fd00:1::2"), six("fd00:1::"), six("fe80::1")
	for _, step := range []struct {
		name string
		err  error
	}{
		{"up", c.Up(card, 0)},
		{"address", c.AddAddress6(card, own, 64)},
		{"neighbor", c.AddNeighbor6(card, router, [6]byte{0x9a, 0x55})},
		{"neighbor again", c.AddNeighbor6(card, router, [6]byte{0x9a, 0x56})},
		{"route", c.AddRoute6(card, prefix, 64, router)},
	} {
		if step.err != nil {
			t.Fatalf("%s: %v", step.name, step.err)
		}
	}
	routes, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
	if err != nil {
		t.Fatal(err)
	}
	way := "fd000001000000000000000000000000 40 " + strings.Repeat("0", 32) + " 00 fe800000000000000000000000000001"
	if !strings.Contains(string(routes), way) {
		t.Errorf("no way by the router:\n%s", routes)
	}
	if strings.Count(string(routes), "fd000001000000000000000000000000 40") != 1 {
		t.Errorf("a route of the address's own:\n%s", routes)
	}
	if err := c.AddRoute6(card, prefix, 64, router); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("the same route again: got %v", err)
	}
	if err := c.RemoveRoute6(card, prefix, 64); err != nil {
		t.Errorf("without the route: %v", err)
	}
	if err := c.RemoveRoute6(card, prefix, 64); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("without the route again: got %v", err)
	}
	for _, other := range []string{"fe80::1", "fe80::2"} {
		if err := c.ReplaceDefaultRoute6(card, six(other)); err != nil {
			t.Errorf("the default route by %s: %v", other, err)
		}
	}
	if routes, err = os.ReadFile("/proc/thread-self/net/ipv6_route"); err != nil {
		t.Fatal(err)
	}
	everything := strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 "
	if !strings.Contains(string(routes), everything+"fe800000000000000000000000000002") || strings.Contains(string(routes), everything+"fe800000000000000000000000000001") {
		t.Errorf("not one default route:\n%s", routes)
	}
	if err := c.RemoveDefaultRoute6(); err != nil {
		t.Errorf("without the default route: %v", err)
	}
	if err := c.RemoveDefaultRoute6(); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("without the default route again: got %v", err)
	}
	if err := c.RemoveAddress6(card, own, 64); err != nil {
		t.Errorf("without the address: %v", err)
	}
	if err := c.RemoveAddress6(card, own, 64); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("without the address again: got %v", err)
	}
}

// newCard makes a device that is no loopback device.
func newCard(t *testing.T, c *Connection) int {
	t.Helper()
	const name, linkInfo, infoKind = "card0", 18, 1
	kind := newMessage(0, 0, nil).text(infoKind, "veth").bytes[headerBytes:]
	if err := c.do(newMessage(syscall.RTM_NEWLINK, create, link(0, 0, 0)).text(iflaName, name).attribute(linkInfo, kind)); err != nil {
		t.Fatal(err)
	}
	index, err := c.Index(name)
	if err != nil {
		t.Fatal(err)
	}
	return index
}
