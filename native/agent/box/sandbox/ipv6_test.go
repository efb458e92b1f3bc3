package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// cardNetwork is a network namespace of its own, with a card that has no IPv6 yet, as in a box.
type cardNetwork struct {
	*Network
	t      *testing.T
	thread *thread
	card   int
}

func newCardNetwork(t *testing.T) *cardNetwork {
	t.Helper()
	guesttest.NeedRoot(t)
	s := &Sandbox{thread: startThread()}
	t.Cleanup(s.thread.end)
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
	t.Cleanup(func() { _ = n.close() })
	return &cardNetwork{n, t, s.thread, index}
}

// inside reads a file of the namespace.
func (n *cardNetwork) inside(path string) (content string) {
	n.t.Helper()
	if err := n.thread.do(func() error {
		read, err := os.ReadFile("/proc/thread-self/net/" + path)
		content = string(read)
		return err
	}); err != nil {
		n.t.Fatal(err)
	}
	return content
}

// of reads the lines of such a file that are about the card.
func (n *cardNetwork) of(path string) (lines []string) {
	n.t.Helper()
	for line := range strings.Lines(n.inside(path)) {
		if strings.Contains(line, " eth0\n") {
			lines = append(lines, line)
		}
	}
	return lines
}

// waysOut counts the default routes by the router that guests know.
func (n *cardNetwork) waysOut() int {
	n.t.Helper()
	zero := strings.Repeat("0", 32)
	return strings.Count(n.inside("ipv6_route"), zero+" 00 "+zero+" 00 fe800000000000000000000000000001")
}

func TestACardHasTheIPv6ThatTheHostSaysAlone(t *testing.T) {
	n := newCardNetwork(t)
	config := &spec.Card{Device: "eth0", IPv6: &spec.IPv6{Address: "fd00::3", PrefixLength: 64, Router: "fe80::1", RouterMAC: "9a:55:9a:55:9a:55"}}
	// The second time is that of a host which has not had the first answer.
	for range 2 {
		if err := n.addIPv6(config.Device, config.IPv6, n.card); err != nil {
			t.Fatal(err)
		}
	}
	// Not tentative, and no link-local address beside it.
	if got := n.of("if_inet6"); len(got) != 1 || !strings.HasPrefix(got[0], "fd000000000000000000000000000003 ") || strings.Fields(got[0])[4] != "82" {
		t.Errorf("addresses: %q", got)
	}
	if routes := strings.Join(n.of("ipv6_route"), ""); !strings.Contains(routes, " fe800000000000000000000000000001 ") {
		t.Errorf("no way to the prefix:\n%s", routes)
	}
	before := card{index: n.card, ipv6: config.IPv6}
	for _, way := range []struct {
		card card
		ways int
	}{{before, 1}, {before, 1}, {card{index: n.card}, 0}, {card{index: n.card}, 0}} {
		if err := n.setGateway6(way.card); err != nil {
			t.Fatal(err)
		}
		if got := n.waysOut(); got != way.ways {
			t.Errorf("ways out of %v: %d", way.card, got)
		}
	}
	for range 2 {
		if err := n.removeIPv6(before); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.of("if_inet6"); len(got) != 0 {
		t.Errorf("addresses afterwards: %q", got)
	}
}

// A guest that waited for a pod has none yet, or that of another start.
func TestTheNetworkOfAPodHasAnotherIPv6InPlaceOfItsOwn(t *testing.T) {
	n := newCardNetwork(t)
	n.index = n.card
	six := func(address string) *spec.IPv6 {
		return &spec.IPv6{Address: address, PrefixLength: 64, Router: "fe80::1", RouterMAC: "9a:55:9a:55:9a:55"}
	}
	before := (*spec.IPv6)(nil)
	for _, c := range []struct {
		wanted    *spec.IPv6
		addresses []string
		ways      int
	}{
		{nil, nil, 0},
		{six("fd00::3"), []string{"fd000000000000000000000000000003"}, 1},
		{six("fd00::3"), []string{"fd000000000000000000000000000003"}, 1},
		// In the same prefix, to which there is a way still.
		{six("fd00::4"), []string{"fd000000000000000000000000000004"}, 1},
		{six("fd00:1::4"), []string{"fd000001000000000000000000000004"}, 1},
		{nil, nil, 0},
	} {
		if err := n.replaceIPv6(before, c.wanted); err != nil {
			t.Fatal(err)
		}
		before = c.wanted
		var addresses []string
		for _, line := range n.of("if_inet6") {
			addresses = append(addresses, strings.Fields(line)[0])
		}
		if !slices.Equal(addresses, c.addresses) || n.waysOut() != c.ways {
			t.Errorf("%+v: addresses %v, %d ways out", c.wanted, addresses, n.waysOut())
		}
		if c.wanted == nil {
			continue
		}
		_, _, prefix := ipv6Parts(c.wanted)
		way := fmt.Sprintf("%x 40 %032d 00 fe800000000000000000000000000001", prefix, 0)
		if routes := n.inside("ipv6_route"); strings.Count(routes, way) != 1 {
			t.Errorf("the way to the prefix of %s:\n%s", c.wanted.Address, routes)
		}
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
