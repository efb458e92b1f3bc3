package netlink

import "syscall"

const (
	ask    = syscall.NLM_F_REQUEST | syscall.NLM_F_ACK
	create = ask | syscall.NLM_F_CREATE | syscall.NLM_F_EXCL

	iflaAddress = 1
	iflaMTU     = 4
	iflaName    = 3
	iflaNetNsFD = 28

	ifaAddress = 1
	ifaLocal   = 2

	rtaDestination = 1
	rtaInterface   = 4
	rtaGateway     = 5

	routeUnicast     = 1
	routeUnreachable = 7
	tableMain        = 254
	protocolBoot     = 3
)

// link is struct ifinfomsg: index, and the flags to change.
func link(index int, flags, change uint32) []byte {
	b := make([]byte, 4, 16)
	b = native.AppendUint32(b, uint32(index))
	b = native.AppendUint32(b, flags)
	return native.AppendUint32(b, change)
}

// Move moves an interface to another network namespace and renames it on the way.
func (c *Connection) Move(index, namespace int, name string) error {
	return c.do(newMessage(syscall.RTM_NEWLINK, ask, link(index, 0, 0)).
		number(iflaNetNsFD, uint32(namespace)).text(iflaName, name))
}

// Up starts an interface; an MTU of 0 leaves the present one.
func (c *Connection) Up(index int, mtu uint32) error {
	m := newMessage(syscall.RTM_NEWLINK, ask, link(index, syscall.IFF_UP, syscall.IFF_UP))
	if mtu != 0 {
		m.number(iflaMTU, mtu)
	}
	return c.do(m)
}

// AddAddress gives an interface an IPv4 address.
func (c *Connection) AddAddress(index int, address [4]byte, prefixLength int) error {
	body := []byte{syscall.AF_INET, byte(prefixLength), 0, 0}
	body = native.AppendUint32(body, uint32(index))
	return c.do(newMessage(syscall.RTM_NEWADDR, create, body).
		attribute(ifaLocal, address[:]).attribute(ifaAddress, address[:]))
}

// RemoveAddress takes an IPv4 address from an interface, and the route to its network.
func (c *Connection) RemoveAddress(index int, address [4]byte, prefixLength int) error {
	body := []byte{syscall.AF_INET, byte(prefixLength), 0, 0}
	body = native.AppendUint32(body, uint32(index))
	return c.do(newMessage(syscall.RTM_DELADDR, ask, body).
		attribute(ifaLocal, address[:]).attribute(ifaAddress, address[:]))
}

// route is struct rtmsg of the main table.
func route(prefixLength, kind byte) []byte {
	return append([]byte{syscall.AF_INET, prefixLength, 0, 0, tableMain, protocolBoot, 0, kind}, 0, 0, 0, 0)
}

// AddDefaultRoute sends everything else to a gateway.
func (c *Connection) AddDefaultRoute(index int, gateway [4]byte) error {
	return c.do(newMessage(syscall.RTM_NEWROUTE, create, route(0, routeUnicast)).
		attribute(rtaGateway, gateway[:]).number(rtaInterface, uint32(index)))
}

// ReplaceDefaultRoute sends everything else to another gateway than before.
func (c *Connection) ReplaceDefaultRoute(index int, gateway [4]byte) error {
	const replace = ask | syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE
	return c.do(newMessage(syscall.RTM_NEWROUTE, replace, route(0, routeUnicast)).
		attribute(rtaGateway, gateway[:]).number(rtaInterface, uint32(index)))
}

// RemoveDefaultRoute takes the way to everything else.
func (c *Connection) RemoveDefaultRoute() error {
	return c.do(newMessage(syscall.RTM_DELROUTE, ask, route(0, routeUnicast)))
}

// AddUnreachable refuses a destination at once.
func (c *Connection) AddUnreachable(destination [4]byte, prefixLength int) error {
	return c.do(newMessage(syscall.RTM_NEWROUTE, create, route(byte(prefixLength), routeUnreachable)).
		attribute(rtaDestination, destination[:]))
}

// Index finds an interface by its name.
func (c *Connection) Index(name string) (int, error) {
	answer, err := c.ask(newMessage(syscall.RTM_GETLINK, syscall.NLM_F_REQUEST, link(0, 0, 0)).text(iflaName, name))
	if err != nil {
		return 0, err
	}
	if len(answer) < 8 {
		return 0, errAnswer
	}
	return int(native.Uint32(answer[4:])), nil
}

// SetAddress gives an interface another hardware address.
func (c *Connection) SetAddress(index int, address [6]byte) error {
	return c.do(newMessage(syscall.RTM_NEWLINK, ask, link(index, 0, 0)).attribute(iflaAddress, address[:]))
}
