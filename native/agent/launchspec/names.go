package launchspec

import (
	"net/netip"
	"slices"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// hosts takes an IPv6 address in its one spelling, and names in one order. Of one name, the address
// of the first line comes first.
func (c *checks) hosts(hosts *[]spec.Host) {
	if hosts == nil {
		return
	}
	c.that(len(*hosts) > 0, "hosts", "must have an entry")
	c.nested(spec.CheckHosts(hosts))
	for _, host := range *hosts {
		address, err := netip.ParseAddr(host.Address)
		c.that(err == nil && !address.Is4In6() && address.String() == host.Address, "hosts", "holds an address in another spelling")
	}
	byName := func(a, b spec.Host) int { return strings.Compare(a.Name, b.Name) }
	c.that(slices.IsSortedFunc(*hosts, byName), "hosts", "must be sorted by name")
}

// resolver takes an absent list as the only way to ask for nothing.
func (c *checks) resolver(s *Spec) {
	resolver := s.Resolver
	if resolver == nil {
		return
	}
	c.that(s.Network != spec.NetworkNone, "resolver", "does not belong to a box without a network")
	lists := []*[]string{resolver.Nameservers, resolver.Search, resolver.Options}
	says := func(list *[]string) bool { return list != nil }
	c.that(slices.ContainsFunc(lists, says), "resolver", "must say something")
	for _, list := range lists {
		c.that(list == nil || len(*list) > 0, "resolver", "has an empty list")
	}
	c.nested(spec.CheckResolver(resolver.Nameservers, resolver.Search, resolver.Options, "resolver."))
}
