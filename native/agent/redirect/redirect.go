// Package redirect leads what programs of the box send to one port of an address to another port,
// on which the agent listens. The port that they name stays theirs: nothing is bound to it.
//
// Docker does so by rules of the packet filter. Here a program of the kernel's sees the addresses
// of their sockets, which needs no module, and which no rule of the box undoes.
package redirect

import (
	"encoding/binary"
	"net/netip"

	"a3s.dev/box/agent/ebpf"
	"a3s.dev/box/agent/linux"
)

// Ports are those of one address in one network namespace.
type Ports struct {
	// Address is an IPv4 address.
	Address netip.Addr
	// Asked is the port that programs name, and Served the one that is listened on.
	Asked, Served uint16
	// Network is the cookie of the namespace. Other ones that the box makes have that address too.
	Network uint64
}

// Program is one for a hook.
type Program struct {
	Hook         linux.AddressHook
	Instructions []byte
}

// Programs lead to the served port and tell of the asked one, IPv4 in the form of IPv6 included.
//
// Who listens on the asked port all the same is not told of by its number: its messages would pass
// for those of the agent where a client's socket is not connected.
func (p Ports) Programs() []Program {
	to, from, other := ports{p.Asked, p.Served}, ports{p.Served, p.Asked}, ports{p.Asked, p.Served}
	return []Program{
		{linux.Connect4, p.replace(plain, to)}, {linux.Connect6, p.replace(mapped, to)}, {linux.Send4, p.replace(plain, to)},
		{linux.Receive4, p.replace(plain, from, other)}, {linux.Receive6, p.replace(mapped, from, other)},
		{linux.PeerName4, p.replace(plain, from)}, {linux.PeerName6, p.replace(mapped, from)},
	}
}

// ports are one that a program replaces, and the one that it puts in its place.
type ports struct{ before, after uint16 }

// form is how struct bpf_sock_addr of linux/bpf.h has an address.
type form int

const (
	plain form = iota
	mapped
)

// Offsets in it. Addresses and ports are in network order.
const (
	atIPv4 = 4
	atIPv6 = 8
	atPort = 24
)

// networkCookie is the number of bpf_get_netns_cookie.
const networkCookie = 122

// Registers. Those from kept on survive a call.
const (
	result  = 0
	context = 1
	scratch = 2
	kept    = 6
)

// word is a part of the address that a program compares.
type word struct {
	at    int16
	value uint32
}

// replace makes a program that replaces ports at the address in its form, one of them at most.
func (p Ports) replace(in form, all ...ports) []byte {
	program := ebpf.Append(nil, ebpf.MoveOther, kept, context, 0, 0)
	for _, each := range all {
		program = append(program, p.replaceOne(in, each)...)
	}
	return appendEnd(program)
}

// replaceOne makes the part of one port. Another address or port goes on behind it.
func (p Ports) replaceOne(in form, ports ports) []byte {
	words := []word{{atIPv4, number(p.Address.AsSlice())}}
	if in == mapped {
		words = []word{{atIPv6, 0}, {atIPv6 + 4, 0}, {atIPv6 + 8, number([]byte{0, 0, 0xff, 0xff})}, {atIPv6 + 12, words[0].value}}
	}
	words = append(words, word{atPort, portNumber(ports.before)})

	tail := ebpf.Append(nil, ebpf.Call, 0, 0, 0, networkCookie)
	tail = ebpf.Append(tail, ebpf.LoadNumber, scratch, 0, 0, int32(uint32(p.Network)))
	tail = ebpf.Append(tail, 0, 0, 0, 0, int32(uint32(p.Network>>32)))
	tail = ebpf.Append(tail, ebpf.JumpOther, result, scratch, 2, 0)
	tail = ebpf.Append(tail, ebpf.MoveNumber, scratch, 0, 0, int32(portNumber(ports.after)))
	tail = ebpf.Append(tail, ebpf.StoreWord, kept, scratch, atPort, 0)
	tail = appendEnd(tail)

	var program []byte
	for index, each := range words {
		// Over the other words and the tail.
		over := 2*(len(words)-index-1) + len(tail)/8
		program = ebpf.Append(program, ebpf.LoadWord, scratch, kept, each.at, 0)
		program = ebpf.Append(program, ebpf.JumpWord, scratch, 0, int16(over), int32(each.value))
	}
	return append(program, tail...)
}

// appendEnd ends a program: in every case the call goes on.
func appendEnd(program []byte) []byte {
	return ebpf.Append(ebpf.Append(program, ebpf.MoveNumber, result, 0, 0, 1), ebpf.Exit, 0, 0, 0, 0)
}

// number is what the kernel's machine, which is little-endian, loads of four bytes.
func number(bytes []byte) uint32 { return binary.LittleEndian.Uint32(bytes) }

func portNumber(port uint16) uint32 { return number([]byte{byte(port >> 8), byte(port), 0, 0}) }
