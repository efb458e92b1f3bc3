package netlink

import "syscall"

const (
	ifaFlags     = 8
	ndaAddress   = 1
	ndaHardware  = 2
	nudPermanent = 0x80
	// flagNoDAD leaves an address without duplicate address detection: no other device has it.
	flagNoDAD = 0x02
	// flagNoPrefixRoute keeps the kernel from looking for the prefix on the link.
	flagNoPrefixRoute = 0x200
	routeOnLink       = 4
)

// AddAddress6 gives an interface an IPv6 address. It is used at once, and no route comes with it.
func (c *Connection) AddAddress6(index int, address [16]byte, prefixLength int) error {
	return c.do(newMessage(syscall.RTM_NEWADDR, create, address6(index, prefixLength)).
		attribute(ifaLocal, address[:]).attribute(ifaAddress, address[:]).
		number(ifaFlags, flagNoDAD|flagNoPrefixRoute))
}

// RemoveAddress6 takes an IPv6 address from an interface.
func (c *Connection) RemoveAddress6(index int, address [16]byte, prefixLength int) error {
	return c.do(newMessage(syscall.RTM_DELADDR, ask, address6(index, prefixLength)).
		attribute(ifaLocal, address[:]).attribute(ifaAddress, address[:]))
}

// AddNeighbor6 says for good at which hardware address a neighbor of an interface is.
func (c *Connection) AddNeighbor6(index int, address [16]byte, hardware [6]byte) error {
	// struct ndmsg
	body := append([]byte{syscall.AF_INET6, 0, 0, 0}, native.AppendUint32(nil, uint32(index))...)
	body = native.AppendUint16(body, nudPermanent)
	body = append(body, 0, 0)
	const replace = ask | syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE
	return c.do(newMessage(syscall.RTM_NEWNEIGH, replace, body).
		attribute(ndaAddress, address[:]).attribute(ndaHardware, hardware[:]))
}

// AddRoute6 sends everything for a prefix to a router on the link of an interface.
func (c *Connection) AddRoute6(index int, prefix [16]byte, prefixLength int, router [16]byte) error {
	return c.do(route6(syscall.RTM_NEWROUTE, create, prefix, prefixLength).
		attribute(rtaGateway, router[:]).number(rtaInterface, uint32(index)))
}

// RemoveRoute6 takes the way of an interface to a prefix.
func (c *Connection) RemoveRoute6(index int, prefix [16]byte, prefixLength int) error {
	return c.do(route6(syscall.RTM_DELROUTE, ask, prefix, prefixLength).number(rtaInterface, uint32(index)))
}

// ReplaceDefaultRoute6 sends all other IPv6 to a router on the link of an interface.
func (c *Connection) ReplaceDefaultRoute6(index int, router [16]byte) error {
	const replace = ask | syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE
	return c.do(route6(syscall.RTM_NEWROUTE, replace, [16]byte{}, 0).
		attribute(rtaGateway, router[:]).number(rtaInterface, uint32(index)))
}

// RemoveDefaultRoute6 takes the way of all other IPv6.
func (c *Connection) RemoveDefaultRoute6() error {
	return c.do(route6(syscall.RTM_DELROUTE, ask, [16]byte{}, 0))
}

// address6 is struct ifaddrmsg.
func address6(index, prefixLength int) []byte {
	return append([]byte{syscall.AF_INET6, byte(prefixLength), 0, 0}, native.AppendUint32(nil, uint32(index))...)
}

// route6 is a request with struct rtmsg of the main table.
func route6(kind, flags uint16, prefix [16]byte, prefixLength int) *message {
	body := []byte{syscall.AF_INET6, byte(prefixLength), 0, 0, tableMain, protocolBoot, 0, routeUnicast}
	return newMessage(kind, flags, append(body, routeOnLink, 0, 0, 0)).attribute(rtaDestination, prefix[:])
}
