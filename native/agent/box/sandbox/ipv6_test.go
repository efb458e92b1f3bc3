package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// In a network namespace of its own, with a card that has no IPv6 yet, as in a box.
func TestACardHasTheIPv6ThatTheHostSaysAlone(t *testing.T) {
	guesttest.NeedRoot(t)
	s := &Sandbox{thread: startThread()}
	defer s.thread.end()
	n := newNetwork(&spec.Network{Kind: spec.NetworkNone}, 0)
	var index int
	if err := s.thread.do(func() (err error) {
		if err := linux.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
			return err
		}
		if n.namespace, err = linux.OpenAt(-1, "/proc/thread-self/ns/net", syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
		if n.inside, err = netlink.Open(); err != nil {
			return err
		}
		add := exec.Command("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
		if text, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		if index, err = n.inside.Index("eth0"); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0); err != nil {
			return err
		}
		// As in a box.
		readonly := exec.Command("sh", "-c", "mount --make-rprivate / && mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
		if text, err := readonly.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		far, err := n.inside.Index("far0")
		return errors.Join(err, n.inside.Up(far, 0), n.inside.Up(index, 1500))
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.close() }()
	inside := func(path string) (content string) {
		t.Helper()
		if err := s.thread.do(func() error {
			read, err := os.ReadFile("/proc/thread-self/net/" + path)
			content = string(read)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return content
	}
	config := &spec.Card{Device: "eth0", IPv6: &spec.IPv6{Address: "fd00::3", PrefixLength: 64, Router: "fe80::1", RouterMAC: "9a:55:9a:55:9a:55"}}
	// The second time is that of a host which has not had the first answer.
	for range 2 {
		if err := n.addIPv6(config, index); err != nil {
			t.Fatal(err)
		}
	}
	of := func(path string) (lines []string) {
		for line := range strings.Lines(inside(path)) {
			if strings.Contains(line, " eth0\n") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	// Not tentative, and no link-local address beside it.
	if got := of("if_inet6"); len(got) != 1 || !strings.HasPrefix(got[0], "fd000000000000000000000000000003 ") || strings.Fields(got[0])[4] != "82" {
		t.Errorf("addresses: %q", got)
	}
	if routes := strings.Join(of("ipv6_route"), ""); !strings.Contains(routes, " fe800000000000000000000000000001 ") {
		t.Errorf("no way to the prefix:\n%s", routes)
	}
	before := card{index: index, ipv6: config.IPv6}
	ways := func() int {
		return strings.Count(inside("ipv6_route"), strings.Repeat("0", 32)+" 00 "+strings.Repeat("0", 32)+" 00 fe800000000000000000000000000001")
	}
	for _, way := range []struct {
		card card
		ways int
	}{{before, 1}, {before, 1}, {card{index: index}, 0}, {card{index: index}, 0}} {
		if err := n.setGateway6(way.card); err != nil {
			t.Fatal(err)
		}
		if got := ways(); got != way.ways {
			t.Errorf("ways out of %v: %d", way.card, got)
		}
	}
	for range 2 {
		if err := n.removeIPv6(before); err != nil {
			t.Fatal(err)
		}
	}
	if got := of("if_inet6"); len(got) != 0 {
		t.Errorf("addresses afterwards: %q", got)
	}
}

func TestACardIsKeptWhereItsAddressesAreThoseThatAreWanted(t *testing.T) {
	six := func(address string) *spec.IPv6 { return &spec.IPv6{Address: address, PrefixLength: 64} }
	wanted := func(address string, ipv6 *spec.IPv6) *spec.Card {
		return &spec.Card{Address: address, PrefixLength: 24, IPv6: ipv6}
	}
	has := card{address: [4]byte{10, 1, 0, 2}, prefixLength: 24, ipv6: six("fd00::2")}
	for _, c := range []struct {
		wanted *spec.Card
		same   bool
	}{
		{wanted("10.1.0.2", six("fd00::2")), true},
		{wanted("10.1.0.3", six("fd00::2")), false},
		{wanted("10.1.0.2", six("fd00::3")), false},
		{wanted("10.1.0.2", nil), false},
	} {
		if has.isAddressed(c.wanted) != c.same {
			t.Errorf("%v %v: not %v", c.wanted.Address, c.wanted.IPv6, c.same)
		}
	}
	if got := strings.Join(has.addresses(), " "); got != "10.1.0.2 fd00::2" {
		t.Errorf("addresses: %s", got)
	}
}
