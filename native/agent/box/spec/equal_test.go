package spec

import "testing"

func TestNetworksAreEqualWhereTheirIPv6IsToo(t *testing.T) {
	six := func(address string) *IPv6 { return &IPv6{address, 64, "fe80::1", "9a:55:9a:55:9a:55"} }
	mtu, length, address := int64(1500), int64(24), "10.0.2.15"
	network := func(ipv6 *IPv6) *Network {
		return &Network{Kind: NetworkNIC, MTU: &mtu, Address: &address, PrefixLength: &length, Gateway: &address, IPv6: ipv6}
	}
	for _, c := range []struct {
		one, other *IPv6
		equal      bool
	}{
		{nil, nil, true},
		{six("fd00::2"), six("fd00::2"), true},
		{six("fd00::2"), six("fd00::3"), false},
		{six("fd00::2"), nil, false},
		{nil, six("fd00::2"), false},
	} {
		if network(c.one).EqualButMAC(network(c.other)) != c.equal {
			t.Errorf("%v and %v: not %v", c.one, c.other, c.equal)
		}
	}
}
