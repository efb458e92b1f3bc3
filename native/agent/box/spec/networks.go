package spec

import (
	"net/netip"
	"slices"
	"strconv"
)

// maxCards is more than a microVM has places for.
const maxCards = 32

// maxLinkLocal bounds the link-local addresses of a card.
const maxLinkLocal = 16

// minMTU6 is the least that a link of IPv6 carries in one piece; RFC 8200, section 5.
const minMTU6 = 1280

// Networks is all that a box has of networks, besides its loopback device. It replaces what the box
// had before.
type Networks struct {
	Cards []Card `json:"cards"`
	// Gateway is where everything goes that is for no network of a card; nil is nowhere.
	Gateway     *Gateway  `json:"gateway"`
	Nameservers []string  `json:"nameservers"`
	Search      []string  `json:"search"`
	Options     *[]string `json:"options"`
	// Hosts are the addresses of other boxes by the names that this one has for them; nil is none.
	Hosts *[]Host `json:"hosts"`
}

// Card is a network device of the box.
type Card struct {
	// Device is what the box calls it.
	Device       string `json:"device"`
	MAC          string `json:"mac"`
	MTU          int64  `json:"mtu"`
	Address      string `json:"address"`
	PrefixLength int64  `json:"prefixLength"`
	// IPv6 is nil where the card has none.
	IPv6 *IPv6 `json:"ipv6"`
	// LinkLocal are further addresses, at which the box alone reaches itself; nil is none.
	LinkLocal *[]string `json:"linkLocal"`
}

// IPv6 is what a card has of IPv6. All of it is said here: the card takes nothing of it from what
// its network advertises.
type IPv6 struct {
	Address      string `json:"address"`
	PrefixLength int64  `json:"prefixLength"`
	// Router is the link-local address by which the prefix is reached.
	Router string `json:"router"`
	// RouterMAC is where the router is, which nobody is asked for.
	RouterMAC string `json:"routerMac"`
}

// Gateway is an address that is reached through a card.
type Gateway struct {
	Device  string `json:"device"`
	Address string `json:"address"`
}

// CheckNetworks checks networks that came by themselves.
func CheckNetworks(n *Networks) error {
	c := &checks{}
	c.that(len(n.Cards) <= maxCards, "cards", "has too many entries")
	devices, macs := map[string]bool{}, map[string]bool{}
	for index, card := range n.Cards {
		field := "cards[" + strconv.Itoa(index) + "]."
		c.that(isDevice(card.Device) && !devices[card.Device], field+"device", "is not the name of one device, such as eth0")
		c.that(IsMAC(card.MAC) && !macs[card.MAC], field+"mac", "is not the MAC address of one device, in lower case")
		c.between(card.MTU, 68, 65535, field+"mtu")
		c.that(isIPv4(card.Address), field+"address", "is not an IPv4 address")
		c.between(card.PrefixLength, 1, 32, field+"prefixLength")
		c.ipv6(card.IPv6, field+"ipv6.")
		c.linkLocal(card.LinkLocal, field+"linkLocal")
		c.that(card.IPv6 == nil || card.MTU >= minMTU6, field+"mtu", "is too small for IPv6")
		devices[card.Device], macs[card.MAC] = true, true
	}
	if gateway := n.Gateway; gateway != nil {
		c.that(devices[gateway.Device], "gateway.device", "is none of the cards")
		c.that(isIPv4(gateway.Address), "gateway.address", "is not an IPv4 address")
	}
	c.resolver(n.Nameservers, n.Search, n.Options, "")
	c.hosts(n.Hosts)
	return c.err
}

// linkLocal takes IPv4 addresses; RFC 3927, section 2.1.
func (c *checks) linkLocal(list *[]string, field string) {
	if list == nil {
		return
	}
	c.that(len(*list) <= maxLinkLocal, field, "has too many entries")
	for index, text := range *list {
		address, err := netip.ParseAddr(text)
		c.that(err == nil && address.Is4() && address.IsLinkLocalUnicast(), field, "holds what is not a link-local IPv4 address")
		c.that(!slices.Contains((*list)[:index], text), field, "holds an address twice")
	}
}

// ipv6 takes one spelling of an address, and none with a meaning of its own.
func (c *checks) ipv6(config *IPv6, field string) {
	if config == nil {
		return
	}
	address, err := netip.ParseAddr(config.Address)
	c.that(err == nil && isPlain6(address) && address.String() == config.Address, field+"address", "is not the IPv6 address of a host")
	c.between(config.PrefixLength, 8, 126, field+"prefixLength")
	router, err := netip.ParseAddr(config.Router)
	c.that(err == nil && router.Is6() && router.IsLinkLocalUnicast() && router.Zone() == "", field+"router", "is not a link-local IPv6 address")
	c.that(IsMAC(config.RouterMAC), field+"routerMac", "is not a MAC address in lower case")
}

func isPlain6(address netip.Addr) bool {
	return address.Is6() && !address.Is4In6() && address.Zone() == "" && address.IsGlobalUnicast()
}

// isDevice says whether a text is eth and a number of one or two digits.
func isDevice(text string) bool {
	return len(text) > 3 && len(text) <= 5 && text[:3] == "eth" && matches(text[3:], 2, isDigit, isDigit)
}
