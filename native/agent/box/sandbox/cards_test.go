package sandbox

import (
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

// In a network namespace of its own, with a card as in a box that has booted.
func TestACardHasItsLinkLocalAddressesAndNoWayToOthers(t *testing.T) {
	guesttest.NeedRoot(t)
	s := &Sandbox{thread: startThread()}
	defer s.thread.end()
	n := newNetwork(&spec.Network{Kind: spec.NetworkNone}, 0)
	n.cards = map[string]card{}
	defer func() { _ = n.close() }()
	ip := func(words ...string) string {
		t.Helper()
		text, err := exec.Command("ip", words...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v: %s", words, err, text)
		}
		return string(text)
	}
	addresses := func() (found []string) {
		for _, field := range strings.Fields(ip("-4", "-o", "address", "show", "dev", "eth0")) {
			if strings.Contains(field, "/") {
				found = append(found, field)
			}
		}
		return found
	}
	if err := s.thread.do(func() (err error) {
		if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
			return err
		}
		if n.inside, err = netlink.Open(); err != nil {
			return err
		}
		ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0")
		ip("link", "set", "far0", "up")
		index, err := n.inside.Index("eth0")
		if err != nil {
			return err
		}
		config := &spec.Card{
			Device: "eth0", MTU: 1500, Address: "10.1.0.2", PrefixLength: 24, LinkLocal: &[]string{"169.254.8.8", "169.254.9.9"},
		}
		// The second time is that of a host which has not had the first answer.
		for range 2 {
			if err := s.addCard(n, config, index); err != nil {
				return err
			}
		}
		if got := addresses(); !slices.Equal(got, []string{"10.1.0.2/24", "169.254.8.8/32", "169.254.9.9/32"}) {
			t.Errorf("addresses: %v", got)
		}
		if way := ip("-4", "route", "get", "169.254.8.8"); !strings.HasPrefix(way, "local ") {
			t.Errorf("the way to itself: %s", way)
		}
		if way, err := exec.Command("ip", "-4", "route", "get", "169.254.169.254").CombinedOutput(); err == nil {
			t.Errorf("a way to another link-local address: %s", way)
		}
		has, fewer := n.cards["eth0"], *config
		fewer.LinkLocal = &[]string{"169.254.8.8"}
		if !has.isAddressed(config) || has.isAddressed(&fewer) {
			t.Error("the card is not kept for the addresses that it has alone")
		}
		for range 2 {
			if err := n.clear("eth0", has); err != nil {
				return err
			}
		}
		if got := addresses(); len(got) != 0 {
			t.Errorf("addresses afterwards: %v", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// In two network namespaces: one that a guest has its cards in, and that of a box.
func TestACardComesOutOfTheBoxAsItWentIn(t *testing.T) {
	guesttest.NeedRoot(t)
	const mac = "02:00:00:00:00:07"
	guest := startThread()
	defer guest.end()
	s := &Sandbox{thread: startThread()}
	defer s.thread.end()
	ip := func(words ...string) string {
		t.Helper()
		text, err := exec.Command("ip", words...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v: %s", words, err, text)
		}
		return string(text)
	}
	var index int
	if err := guest.do(func() (err error) {
		if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
			return err
		}
		if s.outside, err = netlink.Open(); err != nil {
			return err
		}
		ip("link", "add", "eth0", "address", mac, "type", "veth", "peer", "name", "spare0")
		index, err = s.outside.Index("eth0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.outside.Close()
	n := newNetwork(&spec.Network{Kind: spec.NetworkNone}, 0)
	n.cards = map[string]card{}
	defer func() { _ = n.close() }()
	config := &spec.Card{Device: "eth1", MAC: mac, MTU: 1500, Address: "10.1.0.2", PrefixLength: 24}
	// It comes back for another network.
	for range 2 {
		if err := s.thread.do(func() (err error) {
			if n.inside == nil {
				if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
					return err
				}
				if n.inside, err = netlink.Open(); err != nil {
					return err
				}
			}
			namespace, err := n.inside.Namespace()
			if err != nil {
				return err
			}
			defer syscall.Close(namespace)
			if err := s.outside.Move(index, namespace, config.Device); err != nil {
				return err
			}
			if index, err = n.inside.Index(config.Device); err != nil {
				return err
			}
			if err := s.addCard(n, config, index); err != nil {
				return err
			}
			// What a box with CAP_NET_ADMIN can do with its card.
			ip("link", "set", "eth1", "down")
			ip("link", "set", "eth1", "address", "02:00:00:00:00:66")
			ip("link", "set", "eth1", "name", "mine")
			ip("link", "set", "mine", "up")
			ip("address", "add", "10.9.9.9/24", "dev", "mine")
			has := n.cards["eth1"]
			// The second time is that of a host which has not had the first answer.
			for range 2 {
				if err := s.bringOut(n, "eth1", has); err != nil {
					return err
				}
				if err := n.clear("eth1", has); err != nil {
					return err
				}
			}
			if left := ip("-o", "link", "show"); strings.Contains(left, "mine") || strings.Contains(left, "eth1") {
				t.Errorf("the box still has the card: %s", left)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := guest.do(func() error {
			link := ip("-o", "link", "show")
			if !strings.Contains(link, "spare1@spare0") || !strings.Contains(link, mac) || strings.Contains(link, ":66") {
				t.Errorf("the guest has: %s", link)
			}
			if addresses := ip("-o", "address", "show", "dev", "spare1"); addresses != "" {
				t.Errorf("addresses: %s", addresses)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
