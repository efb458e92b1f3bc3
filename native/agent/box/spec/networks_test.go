package spec

import (
	"strconv"
	"testing"
)

func networksOfTest() *Networks {
	card := func(device, last string) Card {
		return Card{device, "02:00:00:00:00:0" + last, 1500, "10.1.0." + last, 24, nil, &[]string{"169.254.8." + last}}
	}
	second := card("eth12", "3")
	second.IPv6 = &IPv6{"fd00::3", 64, "fe80::1", "9a:55:9a:55:9a:55"}
	return &Networks{
		Cards: []Card{card("eth0", "2"), second}, Gateway: &Gateway{"eth12", "10.1.0.1"},
		Nameservers: []string{"10.1.0.1"}, Search: []string{"a.b"}, Options: &[]string{"ndots:0"},
		Hosts: &[]Host{{"db", "10.1.0.9"}},
	}
}

func TestNetworksAreChecked(t *testing.T) {
	if err := CheckNetworks(networksOfTest()); err != nil {
		t.Fatal(err)
	}
	if err := CheckNetworks(&Networks{}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Networks){
		"a device of another name":             func(n *Networks) { n.Cards[0].Device = "lo" },
		"a device without number":              func(n *Networks) { n.Cards[0].Device = "eth" },
		"a device in a path":                   func(n *Networks) { n.Cards[0].Device = "eth/." },
		"a device twice":                       func(n *Networks) { n.Cards[0].Device = "eth12" },
		"a MAC address twice":                  func(n *Networks) { n.Cards[0].MAC = n.Cards[1].MAC },
		"no MAC address":                       func(n *Networks) { n.Cards[0].MAC = "" },
		"an MTU of 0":                          func(n *Networks) { n.Cards[0].MTU = 0 },
		"an IPv6 address":                      func(n *Networks) { n.Cards[0].Address = "::1" },
		"an IPv4 address for IPv6":             func(n *Networks) { n.Cards[1].IPv6.Address = "10.1.0.3" },
		"a mapped IPv4 address":                func(n *Networks) { n.Cards[1].IPv6.Address = "::ffff:10.1.0.3" },
		"another spelling of IPv6":             func(n *Networks) { n.Cards[1].IPv6.Address = "fd00:0::3" },
		"a link-local address":                 func(n *Networks) { n.Cards[1].IPv6.Address = "fe80::3" },
		"a global address as a link-local one": func(n *Networks) { n.Cards[0].LinkLocal = &[]string{"10.1.0.4"} },
		"IPv6 as a link-local address":         func(n *Networks) { n.Cards[0].LinkLocal = &[]string{"fe80::3"} },
		"a link-local address twice":           func(n *Networks) { n.Cards[0].LinkLocal = &[]string{"169.254.8.8", "169.254.8.8"} },
		"too many link-local addresses": func(n *Networks) {
			many := make([]string, maxLinkLocal+1)
			for index := range many {
				many[index] = "169.254.8." + strconv.Itoa(index)
			}
			n.Cards[0].LinkLocal = &many
		},
		"the loopback address":      func(n *Networks) { n.Cards[1].IPv6.Address = "::1" },
		"no prefix of IPv6":         func(n *Networks) { n.Cards[1].IPv6.PrefixLength = 0 },
		"a router that is far":      func(n *Networks) { n.Cards[1].IPv6.Router = "fd00::1" },
		"a router of one link":      func(n *Networks) { n.Cards[1].IPv6.Router = "fe80::1%eth0" },
		"a router at no address":    func(n *Networks) { n.Cards[1].IPv6.RouterMAC = "" },
		"an MTU below that of IPv6": func(n *Networks) { n.Cards[1].MTU = 1279 },
		"no prefix":                 func(n *Networks) { n.Cards[0].PrefixLength = 0 },
		"a gateway of no card":      func(n *Networks) { n.Gateway.Device = "eth3" },
		"a gateway without address": func(n *Networks) { n.Gateway.Address = "" },
		"a name server by name":     func(n *Networks) { n.Nameservers = []string{"dns"} },
		"a domain of two lines":     func(n *Networks) { n.Search = []string{"a\nb"} },
		"an option of two words":    func(n *Networks) { n.Options = &[]string{"a b"} },
		"a name of two lines":       func(n *Networks) { n.Hosts = &[]Host{{"a\nb", "10.1.0.9"}} },
		"a name without address":    func(n *Networks) { n.Hosts = &[]Host{{"db", ""}} },
		"too many cards":            func(n *Networks) { n.Cards = make([]Card, maxCards+1) },
	} {
		t.Run(name, func(t *testing.T) {
			n := networksOfTest()
			change(n)
			if CheckNetworks(n) == nil {
				t.Error("it was taken")
			}
		})
	}
}
