package launchspec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// maxHostNetworks is how many functions the device of the cards has.
const maxHostNetworks = 8

// Bounds of what a host may choose. A subnet has an address for the box and one for its gateway.
const (
	minSubnet      = 8
	maxSubnet      = 30
	maxHostServers = 3
	maxHostNames   = 256
)

// noSubnets are never in a network that a host chooses: where they lead, the box would take the
// host for itself, for all networks at once, or for the service that gives clouds' credentials.
var noSubnets = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/8"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// ownNames lead to the box itself in every box.
var ownNames = []string{"localhost", "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters"}

// networkOption has names without a domain asked for as they are: the DNS server of a network knows
// its boxes by them.
const networkOption = "ndots:0"

// HostNetworksError is what a launch spec does not permit a host that gives its box networks.
type HostNetworksError struct{ What string }

func (e *HostNetworksError) Error() string {
	return "the launch spec does not permit the host " + e.What
}

func (c *checks) hostNetworks(s *Spec) {
	if s.HostNetworks == nil {
		return
	}
	c.that(s.Network == spec.NetworkNIC, "hostNetworks", "does not belong to a box without a network")
	c.between(*s.HostNetworks, 1, maxHostNetworks, "hostNetworks")
}

// hostNames takes no name that leads somewhere by the launch spec, in whatever case: the host is to
// change none of these.
func (c *checks) hostNames(s *Spec) {
	if s.HostNames == nil {
		return
	}
	names := *s.HostNames
	c.that(s.HostNetworks != nil, "hostNames", "does not belong to a box whose networks are not the host's")
	c.between(int64(len(names)), 1, maxHostNames, "hostNames")
	fixed := map[string]bool{strings.ToLower(s.Hostname): true}
	for _, name := range ownNames {
		fixed[name] = true
	}
	if s.Domainname != nil {
		fixed[strings.ToLower(s.Hostname+"."+*s.Domainname)] = true
	}
	if s.Hosts != nil {
		for _, host := range *s.Hosts {
			fixed[strings.ToLower(host.Name)] = true
		}
	}
	for _, name := range names {
		c.that(spec.IsHostName(name), "hostNames", "holds what is not the name of a box")
		c.that(!fixed[strings.ToLower(name)], "hostNames", "holds a name that is the box's, or in hosts")
		fixed[strings.ToLower(name)] = true
	}
	c.that(ascending(names), "hostNames", "must be sorted, each once")
}

// Networks returns the networks that a host has chosen, as the box is to have them: with the
// resolver of the launch spec. The host is the adversary, so they are no more than the spec
// permits, and nothing in them takes the place of what the box has by itself.
func (s *Spec) Networks(host *spec.Networks) (*spec.Networks, error) {
	if err := s.permits(host); err != nil {
		return nil, err
	}
	c := &checks{}
	c.nested(spec.CheckNetworks(host))
	if c.err == nil {
		c.chosen(host, s.Resolver)
	}
	if c.err != nil {
		return nil, c.err
	}
	networks := *host
	options := []string{networkOption}
	if resolver := s.Resolver; resolver != nil {
		networks.Search = list(resolver.Search)
		options = withOption(list(resolver.Options))
	}
	networks.Options = &options
	return &networks, nil
}

// MayChooseNetworks says whether the host may choose any networks of the box.
func (s *Spec) MayChooseNetworks() error {
	if s.HostNetworks == nil {
		return &HostNetworksError{"to choose the networks of the box"}
	}
	return nil
}

// permits has what only the launch spec could say.
func (s *Spec) permits(host *spec.Networks) error {
	if err := s.MayChooseNetworks(); err != nil {
		return err
	}
	switch {
	case int64(len(host.Cards)) > *s.HostNetworks:
		return &HostNetworksError{fmt.Sprintf("%d network cards, but %d", len(host.Cards), *s.HostNetworks)}
	case host.Hosts != nil && s.HostNames == nil:
		return &HostNetworksError{"lines of /etc/hosts"}
	case host.Hosts != nil && slices.ContainsFunc(*host.Hosts, s.isForeign):
		return &HostNetworksError{"an address for a name that is not in hostNames"}
	case len(host.Search) > 0 || host.Options != nil:
		return &HostNetworksError{"search domains or options of the resolver"}
	case slices.ContainsFunc(host.Cards, func(card spec.Card) bool { return card.LinkLocal != nil }):
		return &HostNetworksError{"link-local addresses"}
	}
	return nil
}

// isForeign says whether a line has a name that is not the host's to give an address.
func (s *Spec) isForeign(line spec.Host) bool { return !slices.Contains(*s.HostNames, line.Name) }

// chosen takes networks whose addresses were parsed before. DNS servers are those of a network, or
// those that the launch spec has, for a box in its own network alone.
func (c *checks) chosen(host *spec.Networks, resolver *Resolver) {
	taken := make([]netip.Prefix, 0, 2*maxHostNetworks)
	take := func(subnet netip.Prefix, field string) {
		c.that(!overlaps(noSubnets, subnet), field, "is in a network that no host may choose")
		c.that(!overlaps(taken, subnet), field, "is in the network of another card")
		taken = append(taken, subnet)
	}
	for index, card := range host.Cards {
		field := "cards[" + strconv.Itoa(index) + "]."
		c.between(card.PrefixLength, minSubnet, maxSubnet, field+"prefixLength")
		subnet := subnetOf(card.Address, card.PrefixLength)
		c.that(isHost(subnet, netip.MustParseAddr(card.Address)), field+"address", "is that of the network, or of all in it")
		take(subnet, field+"address")
		if card.IPv6 != nil {
			take(subnetOf(card.IPv6.Address, card.IPv6.PrefixLength), field+"ipv6.address")
		}
	}
	if host.Gateway != nil {
		c.gateway(host)
	}
	c.that(len(host.Nameservers) <= maxHostServers, "nameservers", "has too many entries")
	for _, server := range host.Nameservers {
		if resolver != nil && slices.Contains(list(resolver.Nameservers), server) {
			continue
		}
		at := netip.MustParseAddr(server)
		near := func(card spec.Card) bool { return isHost(subnetOf(card.Address, card.PrefixLength), at) }
		c.that(slices.ContainsFunc(host.Cards, near), "nameservers", "holds an address that is in no network of a card")
	}
	if host.Hosts != nil {
		for _, line := range *host.Hosts {
			c.that(isNeighbor(host.Cards, line.Address), "hosts", "holds an address that is in no network of a card")
		}
	}
}

// isNeighbor says whether a box can be at an address: in the network of a card.
func isNeighbor(cards []spec.Card, text string) bool {
	at, err := netip.ParseAddr(text)
	return err == nil && at.String() == text && slices.ContainsFunc(cards, func(card spec.Card) bool {
		if at.Is4() {
			return isHost(subnetOf(card.Address, card.PrefixLength), at)
		}
		return card.IPv6 != nil && subnetOf(card.IPv6.Address, card.IPv6.PrefixLength).Contains(at)
	})
}

// gateway takes another address of the network of its card.
func (c *checks) gateway(host *spec.Networks) {
	at := slices.IndexFunc(host.Cards, func(card spec.Card) bool { return card.Device == host.Gateway.Device })
	card := host.Cards[at]
	address := netip.MustParseAddr(host.Gateway.Address)
	near := isHost(subnetOf(card.Address, card.PrefixLength), address) && address != netip.MustParseAddr(card.Address)
	c.that(near, "gateway.address", "is no other address of the network of its card")
}

func subnetOf(address string, length int64) netip.Prefix {
	return netip.PrefixFrom(netip.MustParseAddr(address), int(length)).Masked()
}

func overlaps(prefixes []netip.Prefix, one netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, one.Overlaps)
}

// isHost says whether an address is one of IPv4 that a device in the network can have.
func isHost(network netip.Prefix, address netip.Addr) bool {
	return network.Contains(address) && address != network.Addr() && network.Contains(address.Next())
}

func list(of *[]string) []string {
	if of == nil {
		return []string{}
	}
	return *of
}

// withOption adds the option of a network, unless the box asks for another value of it.
func withOption(asked []string) []string {
	name := func(option string) string { before, _, _ := strings.Cut(option, ":"); return before }
	same := func(option string) bool { return name(option) == name(networkOption) }
	if slices.ContainsFunc(asked, same) {
		return asked
	}
	return append(slices.Clone(asked), networkOption)
}
