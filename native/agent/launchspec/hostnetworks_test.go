package launchspec

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/strictjson"
)

// chosen is what a host gives a box in two networks.
func chosen() *spec.Networks {
	return &spec.Networks{
		Cards: []spec.Card{
			{Device: "eth0", MAC: "02:42:0a:59:01:02", MTU: 65520, Address: "10.89.1.2", PrefixLength: 24},
			{
				Device: "eth1", MAC: "02:42:0a:59:02:02", MTU: 1500, Address: "172.16.0.1", PrefixLength: 30,
				IPv6: &spec.IPv6{Address: "fd00:89::2", PrefixLength: 64, Router: "fe80::1", RouterMAC: "9a:55:9a:55:9a:55"},
			},
		},
		Gateway: &spec.Gateway{Device: "eth0", Address: "10.89.1.1"}, Nameservers: []string{"10.89.1.1", "172.16.0.2"}, Search: []string{},
	}
}

func permittingNetworks(t *testing.T, name string) *Spec {
	t.Helper()
	s, err := Parse(textOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	most := int64(2)
	s.HostNetworks = &most
	return s
}

// naming permits names too.
func naming(t *testing.T) *Spec {
	t.Helper()
	s := permittingNetworks(t, "host-networks-one")
	s.HostNames = &[]string{"cache", "db"}
	return s
}

func TestAHostGivesNamesOfTheSpecAddressesOfTheNetworks(t *testing.T) {
	for _, lines := range [][]spec.Host{
		{},
		{{Name: "db", Address: "10.89.1.3"}},
		{{Name: "db", Address: "10.89.1.3"}, {Name: "db", Address: "fd00:89::3"}, {Name: "cache", Address: "172.16.0.2"}},
		// A box may have a name for itself.
		{{Name: "db", Address: "10.89.1.2"}},
	} {
		host := chosen()
		host.Hosts = &lines
		got, err := naming(t).Networks(host)
		if err != nil || !slices.Equal(*got.Hosts, lines) {
			t.Errorf("%v: got %v and %v", lines, got, err)
		}
	}
	if got, err := naming(t).Networks(chosen()); err != nil || got.Hosts != nil {
		t.Error("no names at all:", got, err)
	}
}

func TestAHostChoosesWhatTheSpecLeavesToIt(t *testing.T) {
	for name, want := range map[string]struct{ search, options []string }{
		"host-networks-one":  {[]string{}, []string{"ndots:0"}},
		"resolver-all":       {[]string{"example.com", "_tcp.example"}, []string{"ndots:2", "rotate"}},
		"resolver-search":    {[]string{"example.com"}, []string{"ndots:0"}},
		"resolver-options":   {[]string{}, []string{"ndots:2"}},
		"host-networks-more": {[]string{}, []string{"rotate", "ndots:0"}},
	} {
		s := permittingNetworks(t, strings.Replace(name, "-more", "-one", 1))
		if name == "host-networks-more" {
			s.Resolver = &Resolver{Options: &[]string{"rotate"}}
		}
		got, err := s.Networks(chosen())
		if err != nil {
			t.Fatal(name, err)
		}
		if !slices.Equal(got.Search, want.search) || !slices.Equal(*got.Options, want.options) {
			t.Errorf("%s: got %v and %v", name, got.Search, *got.Options)
		}
		if len(got.Cards) != 2 || got.Cards[0].Address != "10.89.1.2" || got.Gateway.Address != "10.89.1.1" || len(got.Nameservers) != 2 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	host := chosen()
	host.Nameservers = []string{"9.9.9.9"}
	asking := permittingNetworks(t, "host-networks-one")
	asking.Resolver = &Resolver{Nameservers: &[]string{"9.9.9.9"}}
	if _, err := asking.Networks(host); err != nil {
		t.Error("a DNS server of the launch spec:", err)
	}
	if _, err := permittingNetworks(t, "host-networks-one").Networks(&spec.Networks{}); err != nil {
		t.Error("a box out of all networks:", err)
	}
}

func TestAHostChoosesNothingThatTheSpecDoesNotLeaveToIt(t *testing.T) {
	none := permittingNetworks(t, "host-networks-one")
	none.HostNetworks = nil
	one := permittingNetworks(t, "host-networks-one")
	*one.HostNetworks = 1
	named := naming(t)
	const foreign = "an address for a name that is not in hostNames"
	for name, c := range map[string]struct {
		spec   *Spec
		change func(*spec.Networks)
		want   string
	}{
		"any":                  {none, func(*spec.Networks) {}, "to choose the networks of the box"},
		"none":                 {none, func(n *spec.Networks) { *n = spec.Networks{} }, "to choose the networks of the box"},
		"another card":         {one, func(*spec.Networks) {}, "2 network cards, but 1"},
		"names":                {nil, func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "db", Address: "10.89.1.3"}} }, "lines of /etc/hosts"},
		"no names":             {nil, func(n *spec.Networks) { n.Hosts = &[]spec.Host{} }, "lines of /etc/hosts"},
		"another name":         {named, func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "web", Address: "10.89.1.3"}} }, foreign},
		"its name in capitals": {named, func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "DB", Address: "10.89.1.3"}} }, foreign},
		"a name behind its own": {named, func(n *spec.Networks) {
			n.Hosts = &[]spec.Host{{Name: "db", Address: "10.89.1.3"}, {Name: "localhost", Address: "10.89.1.3"}}
		}, foreign},
		"two lines in a name": {named, func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "db\n10.89.1.3 web", Address: "10.89.1.3"}} }, foreign},
		"two names in one":    {named, func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "db web", Address: "10.89.1.3"}} }, foreign},
		"domains":             {nil, func(n *spec.Networks) { n.Search = []string{"evil.example"} }, "search domains or options of the resolver"},
		"options":             {nil, func(n *spec.Networks) { n.Options = &[]string{"use-vc"} }, "search domains or options of the resolver"},
		"link-local":          {nil, func(n *spec.Networks) { n.Cards[0].LinkLocal = &[]string{"169.254.169.254"} }, "link-local addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			host := chosen()
			c.change(host)
			of := c.spec
			if of == nil {
				of = permittingNetworks(t, "host-networks-one")
			}
			_, err := of.Networks(host)
			var refused *HostNetworksError
			if !errors.As(err, &refused) || refused.What != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAHostChoosesNoNetworkThatIsNone(t *testing.T) {
	address := func(text string) func(*spec.Networks) {
		return func(n *spec.Networks) { n.Cards[0].Address, n.Gateway, n.Nameservers = text, nil, nil }
	}
	subnet := func(text string, length int64) func(*spec.Networks) {
		return func(n *spec.Networks) {
			address(text)(n)
			n.Cards[0].PrefixLength = length
		}
	}
	address6 := func(text string, length int64) func(*spec.Networks) {
		return func(n *spec.Networks) { n.Cards[1].IPv6.Address, n.Cards[1].IPv6.PrefixLength = text, length }
	}
	gateway := func(text string) func(*spec.Networks) {
		return func(n *spec.Networks) { n.Gateway.Address = text }
	}
	server := func(text string) func(*spec.Networks) {
		return func(n *spec.Networks) { n.Nameservers = []string{text} }
	}
	name := func(address string) func(*spec.Networks) {
		return func(n *spec.Networks) { n.Hosts = &[]spec.Host{{Name: "db", Address: address}} }
	}
	for name, c := range map[string]struct {
		change func(*spec.Networks)
		field  string
	}{
		"the loopback":                        {address("127.0.0.2"), "cards[0].address"},
		"the network of the loopback":         {subnet("127.1.2.3", 8), "cards[0].address"},
		"this network":                        {address("0.1.2.3"), "cards[0].address"},
		"the metadata service":                {address("169.254.169.254"), "cards[0].address"},
		"a network with the metadata service": {subnet("169.1.2.3", 8), "cards[0].address"},
		"multicast":                           {address("224.0.0.5"), "cards[0].address"},
		"what is for later":                   {address("240.0.0.5"), "cards[0].address"},
		"everything":                          {subnet("10.89.1.2", 1), "cards[0].prefixLength"},
		"more than a network of networks":     {subnet("126.0.0.5", 7), "cards[0].prefixLength"},
		"an address alone":                    {subnet("10.89.1.2", 32), "cards[0].prefixLength"},
		"a network of two":                    {subnet("10.89.1.2", 31), "cards[0].prefixLength"},
		"the address of the network":          {address("10.89.1.0"), "cards[0].address"},
		"that of all in the network":          {address("10.89.1.255"), "cards[0].address"},
		"the network of the other card":       {subnet("172.16.0.2", 30), "cards[1].address"},
		"a network around that":               {subnet("172.16.5.2", 12), "cards[1].address"},
		"IPv6 for IPv4":                       {address("fd00::5"), "cards[0].address"},
		"an address with zeros":               {address("10.89.01.2"), "cards[0].address"},
		"the loopback of IPv6":                {address6("::1", 64), "cards[1].ipv6.address"},
		"IPv4 in IPv6":                        {address6("::7f00:1", 96), "cards[1].ipv6.address"},
		"another IPv4 in IPv6":                {address6("64:ff9b::7f00:1", 96), "cards[1].ipv6.address"},
		"mapped IPv4":                         {address6("::ffff:127.0.0.1", 96), "cards[1].ipv6.address"},
		"link-local IPv6":                     {address6("fe80::5", 64), "cards[1].ipv6.address"},
		"a network of link-local IPv6":        {address6("fe00::5", 8), "cards[1].ipv6.address"},
		"multicast of IPv6":                   {address6("ff02::1", 64), "cards[1].ipv6.address"},
		"all of IPv6":                         {address6("fd00::5", 0), "cards[1].ipv6.prefixLength"},
		"half of IPv6":                        {address6("fd00::5", 1), "cards[1].ipv6.prefixLength"},
		"no IPv6 at all":                      {address6("garbage", 64), "cards[1].ipv6.address"},
		"IPv6 written out":                    {address6("fd00:0:0:0:0:0:0:5", 64), "cards[1].ipv6.address"},
		"a router that is far":                {func(n *spec.Networks) { n.Cards[1].IPv6.Router = "fd00:89::1" }, "cards[1].ipv6.router"},
		"IPv6 of another card": {func(n *spec.Networks) {
			ipv6 := *n.Cards[1].IPv6
			n.Cards[0].IPv6 = &ipv6
		}, "cards[1].ipv6.address"},
		"a gateway outside":               {gateway("10.89.2.1"), "gateway.address"},
		"a gateway of the other card":     {gateway("172.16.0.2"), "gateway.address"},
		"the loopback as the gateway":     {gateway("127.0.0.1"), "gateway.address"},
		"the box as its gateway":          {gateway("10.89.1.2"), "gateway.address"},
		"all as the gateway":              {gateway("10.89.1.255"), "gateway.address"},
		"a gateway without a card":        {func(n *spec.Networks) { n.Gateway.Device = "eth7" }, "gateway.device"},
		"a loopback device":               {func(n *spec.Networks) { n.Cards[0].Device = "lo" }, "cards[0].device"},
		"a server outside":                {server("9.9.9.9"), "nameservers"},
		"the loopback as the server":      {server("127.0.0.11"), "nameservers"},
		"the metadata server":             {server("169.254.169.254"), "nameservers"},
		"four servers":                    {func(n *spec.Networks) { n.Nameservers = slices.Repeat([]string{"10.89.1.1"}, 4) }, "nameservers"},
		"a name for the loopback":         {name("127.0.0.1"), "hosts"},
		"a name for the loopback of IPv6": {name("::1"), "hosts"},
		"a name for the metadata service": {name("169.254.169.254"), "hosts"},
		"a name for an address elsewhere": {name("9.9.9.9"), "hosts"},
		"a name for all in a network":     {name("10.89.1.255"), "hosts"},
		"a name for a network":            {name("10.89.1.0"), "hosts"},
		"a name for IPv6 elsewhere":       {name("fd00:90::3"), "hosts"},
		"a name for a link-local address": {name("fe80::1"), "hosts"},
		"a name for a mapped address":     {name("::ffff:10.89.1.3"), "hosts"},
		"a name in another spelling":      {name("fd00:89:0::3"), "hosts"},
		"a name with a zone":              {name("fd00:89::3%eth1"), "hosts"},
		"a name for two lines":            {name("10.89.1.3\n127.0.0.1"), "hosts"},
		"a name for nothing":              {name(""), "hosts"},
		"too many names": {func(n *spec.Networks) {
			lines := slices.Repeat([]spec.Host{{Name: "db", Address: "10.89.1.3"}}, 257)
			n.Hosts = &lines
		}, "hosts"},
		"a name without a network": {func(n *spec.Networks) {
			*n = spec.Networks{Hosts: &[]spec.Host{{Name: "db", Address: "10.89.1.3"}}}
		}, "hosts"},
		"a small packet": {func(n *spec.Networks) { n.Cards[0].MTU = 67 }, "cards[0].mtu"},
		"a large packet": {func(n *spec.Networks) { n.Cards[0].MTU = 65536 }, "cards[0].mtu"},
	} {
		t.Run(name, func(t *testing.T) {
			host := chosen()
			c.change(host)
			_, err := naming(t).Networks(host)
			var invalid *strictjson.Error
			if !errors.As(err, &invalid) || invalid.Path != c.field {
				t.Errorf("got %v, want an error of %s", err, c.field)
			}
		})
	}
}
