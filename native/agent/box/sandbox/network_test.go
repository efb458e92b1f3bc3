package sandbox

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// The host detaches the card of a guest that waits in a pool, and attaches the box's own later.
func TestANetworkTakesACardInPlaceOfItsFirst(t *testing.T) {
	guesttest.NeedRoot(t)
	s := &Sandbox{thread: startThread()}
	defer s.thread.end()
	n := newNetwork(&expectedNIC, 0)
	defer func() { _ = n.close() }()
	ip := func(words ...string) string {
		t.Helper()
		text, err := exec.Command("ip", words...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v: %s", words, err, text)
		}
		return string(text)
	}
	// open makes a network namespace for this thread.
	open := func(connection **netlink.Connection) (namespace int, err error) {
		if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
			return -1, err
		}
		if *connection, err = netlink.Open(); err != nil {
			return -1, err
		}
		return linux.OpenAt(-1, "/proc/thread-self/ns/net", syscall.O_RDONLY, 0, 0)
	}
	var outside *netlink.Connection
	outsideNamespace := -1
	do := func(step func() error) {
		t.Helper()
		if err := s.thread.do(step); err != nil {
			t.Fatal(err)
		}
	}
	do(func() (err error) {
		if outsideNamespace, err = open(&outside); err != nil {
			return err
		}
		n.namespace, err = open(&n.inside)
		return err
	})
	defer func() { _, _ = outside.Close(), syscall.Close(outsideNamespace) }()
	take := func(mac, address, gateway string, ipv6 *spec.IPv6) {
		t.Helper()
		var card int
		do(func() (err error) {
			if err := linux.SetNamespace(outsideNamespace, syscall.CLONE_NEWNET); err != nil {
				return err
			}
			ip("link", "add", "card0", "address", mac, "type", "veth", "peer", "name", "far0")
			ip("link", "set", "far0", "up")
			card, err = outside.Index("card0")
			return err
		})
		config := expectedNIC
		config.MAC, config.Address, config.Gateway = &mac, &address, &gateway
		config.IPv6 = ipv6
		if err := s.takeCard(n, &config, NIC{index: card, mac: mac, outside: outside}); err != nil {
			t.Fatal(err)
		}
		if lost, err := n.hasLostCard(); lost || err != nil {
			t.Errorf("a card that is there: lost %v, %v", lost, err)
		}
		do(func() error {
			if got := ip("-4", "-o", "address", "show", "dev", "eth0"); !strings.Contains(got, " "+address+"/24 ") {
				t.Errorf("the address: %q", got)
			}
			if got := ip("link", "show", "dev", "eth0"); !strings.Contains(got, mac) || !strings.Contains(got, "mtu 32700") || !strings.Contains(got, ",UP") {
				t.Errorf("the card: %q", got)
			}
			six, way := ip("-6", "address", "show", "dev", "eth0"), ip("-6", "route", "show", "default")
			if ipv6 == nil && six+way != "" || ipv6 != nil && (!strings.Contains(six, " "+ipv6.Address+"/64 ") || !strings.HasPrefix(way, "default via fe80::1 dev eth0 ")) {
				t.Errorf("IPv6: %q, %q", six, way)
			}
			if got := ip("-4", "route", "show", "default"); !strings.HasPrefix(got, "default via "+gateway+" dev eth0 ") {
				t.Errorf("the way out: %q", got)
			}
			if way, err := exec.Command("ip", "-4", "route", "get", "169.254.169.254").CombinedOutput(); err == nil {
				t.Errorf("a way to the metadata service: %s", way)
			}
			return nil
		})
	}
	take("02:00:00:00:00:01", "10.0.2.15", "10.0.2.2", nil)
	do(func() error { ip("link", "delete", "eth0"); return nil })
	if lost, err := n.hasLostCard(); !lost || err != nil {
		t.Errorf("a card that is gone: lost %v, %v", lost, err)
	}
	take("02:42:0a:01:02:03", "10.1.2.3", "10.1.2.1", &spec.IPv6{Address: "fd00::3", PrefixLength: 64, Router: "fe80::1", RouterMAC: "9a:55:9a:55:9a:55"})
	if n.index == 0 || *n.config.MAC != "02:42:0a:01:02:03" {
		t.Errorf("the network has card %d with %v", n.index, *n.config.MAC)
	}
	none := newNetwork(&spec.Network{Kind: spec.NetworkNone}, 0)
	if lost, err := none.hasLostCard(); lost || err != nil {
		t.Errorf("a network without a card: lost %v, %v", lost, err)
	}
}
