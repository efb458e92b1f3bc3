package sandbox

import (
	"errors"
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
)

// hostPrefix is the prefix of an address without a network.
const hostPrefix = 32

// card is a network device of the box.
type card struct {
	index        int
	mac          string
	address      [4]byte
	prefixLength int
	// ipv6 is nil where it has none.
	ipv6 *spec.IPv6
	// linkLocal are further addresses.
	linkLocal []string
}

// SetNetworks gives the box these networks in place of those that it has: it configures the cards
// that are new, which may have yet to be attached, and takes the addresses of those that are to be
// detached, or with keepsCards brings them out of the box. What fails halfway can be repeated.
func (s *Sandbox) SetNetworks(wanted *spec.Networks, hostname string, domain *string, keepsCards bool) error {
	n := s.inUse()
	cards := n.present()
	var added, removed []string
	for index := range wanted.Cards {
		config := &wanted.Cards[index]
		before, has := cards[config.Device]
		if has && !n.attached(config, before) {
			// The host has replaced it without a word.
			before, has = card{}, false
		}
		if has && before.isAddressed(config) {
			continue
		}
		if has {
			if err := n.clear(config.Device, before); err != nil {
				return err
			}
			removed = append(removed, before.addresses()...)
		}
		if err := s.addCard(n, config, before.index); err != nil {
			return err
		}
		added = append(added, n.cards[config.Device].addresses()...)
	}
	if err := n.setGateway(wanted.Gateway); err != nil {
		return err
	}
	for device, before := range cards {
		if slices.ContainsFunc(wanted.Cards, func(c spec.Card) bool { return c.Device == device }) {
			continue
		}
		if keepsCards {
			if err := s.bringOut(n, device, before); err != nil {
				return err
			}
		}
		if err := n.clear(device, before); err != nil {
			return err
		}
		removed = append(removed, before.addresses()...)
	}
	return s.texts.SetNetworks(wanted, rootfs.HostNames(hostname, domain), added, removed)
}

// isAddressed says whether a card has the addresses that are wanted.
func (c card) isAddressed(wanted *spec.Card) bool {
	return c.ipv6.Equal(wanted.IPv6) && slices.Equal(c.linkLocal, linkLocalOf(wanted)) && c.address == ipv4(wanted.Address) && c.prefixLength == int(wanted.PrefixLength)
}

func linkLocalOf(config *spec.Card) []string {
	if config.LinkLocal == nil {
		return nil
	}
	return *config.LinkLocal
}

// addLinkLocal gives a card addresses without a route: nobody else is reached by them. They come
// once the card is up, since the first address that it announces is its own.
func (n *Network) addLinkLocal(index int, addresses []string) error {
	for _, address := range addresses {
		if err := n.inside.AddAddress(index, ipv4(address), hostPrefix); err != nil && !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
	return nil
}

// addresses are those that the box's hosts file has.
func (c card) addresses() []string {
	all := []string{text(c.address)}
	if c.ipv6 != nil {
		all = append(all, c.ipv6.Address)
	}
	return all
}

// attached says whether a card is the one that the box has had by that name.
func (n *Network) attached(config *spec.Card, before card) bool {
	index, err := n.inside.Index(config.Device)
	return err == nil && index == before.index && config.MAC == before.mac
}

// present returns the cards that the box has, eth0 of its spec among them.
func (n *Network) present() map[string]card {
	if n.cards == nil {
		n.cards = map[string]card{}
		if n.index != 0 {
			n.cards[nicName] = card{n.index, *n.config.MAC, ipv4(*n.config.Address), int(*n.config.PrefixLength), n.config.IPv6, nil}
		}
	}
	return n.cards
}

// addCard brings a device into the network namespace, unless it has an index there already.
func (s *Sandbox) addCard(n *Network, config *spec.Card, index int) error {
	fail := func(cause error) error {
		return &layers.DeviceError{Kind: "network device", Name: config.Device, Cause: cause}
	}
	if index == 0 {
		device, err := s.findNIC(&config.MAC)
		if err != nil {
			return err
		}
		if err := device.outside.Move(device.index, n.namespace, config.Device); err != nil {
			return fail(err)
		}
		if index, err = n.inside.Index(config.Device); err != nil {
			return fail(err)
		}
	}
	address, prefixLength := ipv4(config.Address), int(config.PrefixLength)
	for _, step := range []func() error{
		func() error { return n.inside.AddAddress(index, address, prefixLength) },
		func() error { return n.inside.Up(index, uint32(config.MTU)) },
		func() error { return n.inside.AddUnreachable(linkLocal.Addr().As4(), linkLocal.Bits()) },
	} {
		if err := step(); err != nil && !errors.Is(err, syscall.EEXIST) {
			return fail(err)
		}
	}
	extra := linkLocalOf(config)
	if err := n.addLinkLocal(index, extra); err != nil {
		return fail(err)
	}
	if config.IPv6 != nil {
		if err := n.addIPv6(config.Device, config.IPv6, index); err != nil {
			return fail(err)
		}
	}
	n.cards[config.Device] = card{index, config.MAC, address, prefixLength, config.IPv6, slices.Clone(extra)}
	return nil
}

// spareName is a pattern: the kernel puts a number into it that no other device has.
const spareName = "spare%d"

// bringOut brings a card back to where it was before the box had it, with the hardware address that
// it had there. The kernel takes its addresses, its routes and whatever the box has made of it.
func (s *Sandbox) bringOut(n *Network, device string, before card) error {
	outside, err := s.outside.Namespace()
	if err == nil {
		defer syscall.Close(outside)
		err = errors.Join(
			unlessGone(n.inside.SetAddress(before.index, parseMAC(before.mac))),
			unlessGone(n.inside.Move(before.index, outside, spareName)),
		)
	}
	if err != nil {
		return &layers.DeviceError{Kind: "network device", Name: device, Cause: err}
	}
	return nil
}

// clear takes the address of a card. A card that has been detached already has none.
func (n *Network) clear(device string, before card) error {
	err := errors.Join(
		unlessGone(n.inside.RemoveAddress(before.index, before.address, before.prefixLength)),
		n.removeIPv6(before),
	)
	for _, address := range before.linkLocal {
		err = errors.Join(err, unlessGone(n.inside.RemoveAddress(before.index, ipv4(address), hostPrefix)))
	}
	if err != nil {
		return &layers.DeviceError{Kind: "network device", Name: device, Cause: err}
	}
	delete(n.cards, device)
	return nil
}

// setGateway sends everything else to a gateway, and what is IPv6 to the router of its card; nil
// sends it nowhere.
func (n *Network) setGateway(gateway *spec.Gateway) error {
	if gateway == nil {
		err := errors.Join(unlessGone(n.inside.RemoveDefaultRoute()), unlessGone(n.inside.RemoveDefaultRoute6()))
		if err != nil {
			return &layers.DeviceError{Kind: "network", Name: "route", Cause: err}
		}
		return nil
	}
	way := n.cards[gateway.Device]
	err := errors.Join(
		n.inside.ReplaceDefaultRoute(way.index, ipv4(gateway.Address)),
		n.setGateway6(way),
	)
	if err != nil {
		return &layers.DeviceError{Kind: "network device", Name: gateway.Device, Cause: err}
	}
	return nil
}
