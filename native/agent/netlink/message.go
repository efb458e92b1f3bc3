// Package netlink speaks the little of rtnetlink and sock_diag that a box's network needs.
package netlink

import "encoding/binary"

// native is the byte order of netlink on every machine that the agent runs on.
var native = binary.LittleEndian

const (
	headerBytes    = 16
	attributeBytes = 4
)

// message is a request under construction; linux/netlink.h.
type message struct{ bytes []byte }

func newMessage(kind uint16, flags uint16, body []byte) *message {
	m := &message{make([]byte, headerBytes, 256)}
	native.PutUint16(m.bytes[4:], kind)
	native.PutUint16(m.bytes[6:], flags)
	m.bytes = append(m.bytes, body...)
	m.pad()
	return m
}

func (m *message) pad() {
	for len(m.bytes)%4 != 0 {
		m.bytes = append(m.bytes, 0)
	}
}

func (m *message) attribute(kind uint16, value []byte) *message {
	m.bytes = native.AppendUint16(m.bytes, uint16(attributeBytes+len(value)))
	m.bytes = native.AppendUint16(m.bytes, kind)
	m.bytes = append(m.bytes, value...)
	m.pad()
	return m
}

func (m *message) number(kind uint16, value uint32) *message {
	return m.attribute(kind, native.AppendUint32(nil, value))
}

func (m *message) text(kind uint16, value string) *message {
	return m.attribute(kind, append([]byte(value), 0))
}

// encode completes the header.
func (m *message) encode(sequence uint32) []byte {
	native.PutUint32(m.bytes, uint32(len(m.bytes)))
	native.PutUint32(m.bytes[8:], sequence)
	return m.bytes
}
