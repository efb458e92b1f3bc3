package spec

import "testing"

func networksOfTest() *Networks {
	card := func(device, last string) Card {
		return Card{device, "02:00:00:00:00:0" + last, 1500, "10.1.0." + last, 24}
	}
	return &Networks{
		Cards: []Card{card("eth0", "2"), card("eth12", "3")}, Gateway: &Gateway{"eth12", "10.1.0.1"},
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
		"a device of another name":  func(n *Networks) { n.Cards[0].Device = "lo" },
		"a device without number":   func(n *Networks) { n.Cards[0].Device = "eth" },
		"a device in a path":        func(n *Networks) { n.Cards[0].Device = "eth/." },
		"a device twice":            func(n *Networks) { n.Cards[0].Device = "eth12" },
		"a MAC address twice":       func(n *Networks) { n.Cards[0].MAC = n.Cards[1].MAC },
		"no MAC address":            func(n *Networks) { n.Cards[0].MAC = "" },
		"an MTU of 0":               func(n *Networks) { n.Cards[0].MTU = 0 },
		"an IPv6 address":           func(n *Networks) { n.Cards[0].Address = "::1" },
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
