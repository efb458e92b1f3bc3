package sandbox

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// ipv6Settings come before the device has IPv6: its addresses and routes are what the host says,
// and nothing that a router of its network advertises. It has no link-local address, so that it
// neither asks for a router nor tells of itself.
var ipv6Settings = [][2]string{
	{"accept_ra", "0"},
	{"autoconf", "0"},
	{"accept_redirects", "0"},
	{"dad_transmits", "0"},
	{"addr_gen_mode", "1"},
	{"disable_ipv6", "0"},
}

// addIPv6 gives a card its IPv6 address, and the way to the prefix by a router that is known. What
// fails halfway can be repeated.
func (n *Network) addIPv6(device string, config *spec.IPv6, index int) error {
	// Outside of the box, where /proc/sys is read-only.
	without := startThread()
	defer without.end()
	if err := without.do(func() error { return n.allowIPv6(device) }); err != nil {
		return err
	}
	own, router, prefix := ipv6Parts(config)
	length := int(config.PrefixLength)
	for _, step := range []func() error{
		func() error { return n.inside.AddAddress6(index, own, length) },
		func() error { return n.inside.AddNeighbor6(index, router, parseMAC(config.RouterMAC)) },
		func() error { return n.inside.AddRoute6(index, prefix, length, router) },
	} {
		if err := step(); err != nil && !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
	return nil
}

// replaceIPv6 gives eth0 another IPv6 address, and the way out that belongs to it; nil is none.
func (n *Network) replaceIPv6(before, wanted *spec.IPv6) error {
	if before.Equal(wanted) {
		return nil
	}
	if err := n.removeIPv6(card{index: n.index, ipv6: before}); err != nil {
		return err
	}
	if wanted != nil {
		if err := n.addIPv6(nicName, wanted, n.index); err != nil {
			return err
		}
	}
	return n.setGateway6(card{index: n.index, ipv6: wanted})
}

// allowIPv6 runs on a thread of its own: the files are those of the thread's network namespace.
func (n *Network) allowIPv6(device string) error {
	if err := linux.SetNamespace(n.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	for _, setting := range ipv6Settings {
		path := "/proc/sys/net/ipv6/conf/" + device + "/" + setting[0]
		if err := os.WriteFile(path, []byte(setting[1]), 0); err != nil {
			return err
		}
	}
	return nil
}

// setGateway6 sends all other IPv6 by a card: one that has none is no way out for it.
func (n *Network) setGateway6(way card) error {
	if way.ipv6 == nil {
		return unlessGone(n.inside.RemoveDefaultRoute6())
	}
	_, router, _ := ipv6Parts(way.ipv6)
	return n.inside.ReplaceDefaultRoute6(way.index, router)
}

// removeIPv6 takes what addIPv6 gave to a card.
func (n *Network) removeIPv6(before card) error {
	if before.ipv6 == nil {
		return nil
	}
	own, _, prefix := ipv6Parts(before.ipv6)
	length := int(before.ipv6.PrefixLength)
	return errors.Join(
		unlessGone(n.inside.RemoveRoute6(before.index, prefix, length)),
		unlessGone(n.inside.RemoveAddress6(before.index, own, length)),
	)
}

// gone are the answers of the kernel where a device, its address or its route is no more.
var gone = []error{syscall.ENODEV, syscall.EADDRNOTAVAIL, syscall.ESRCH}

func unlessGone(err error) error {
	if slices.ContainsFunc(gone, func(each error) bool { return errors.Is(err, each) }) {
		return nil
	}
	return err
}

// ipv6Parts are the card's address, its router's, and the prefix; all of them were checked.
func ipv6Parts(config *spec.IPv6) (own, router, prefix [16]byte) {
	address := netip.MustParseAddr(config.Address)
	network := netip.PrefixFrom(address, int(config.PrefixLength)).Masked()
	return address.As16(), netip.MustParseAddr(config.Router).As16(), network.Addr().As16()
}
