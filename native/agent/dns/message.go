// Package dns answers for the names that a box alone has for others, and passes all other queries
// on to name servers. Both its clients and those servers are hostile: it reads the header and the
// question of their messages, and nothing else.
package dns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Of a message; RFC 1035, sections 2.3.4 and 4.
const (
	headerBytes   = 12
	maxLabelBytes = 63
	// kindAndClassBytes follow the name of a question.
	kindAndClassBytes = 4
	maxNameBytes      = 255
	// maxPlainBytes is what every client takes by UDP.
	maxPlainBytes = 512
	maxTCPBytes   = 65535

	flagResponse           = 1 << 15
	flagTruncated          = 1 << 9
	flagRecursionDesired   = 1 << 8
	flagRecursionAvailable = 1 << 7
	flagCheckingDisabled   = 1 << 4
	opcodeMask             = 0xf << 11
	rcodeMask              = 0xf

	rcodeFormatError    = 1
	rcodeServerFailure  = 2
	rcodeNotImplemented = 4
	rcodeRefused        = 5

	typeA    = 1
	typeAAAA = 28
	typeAny  = 255

	classInternet = 1
)

// header is what the first bytes of a message say.
type header struct {
	id, flags, questions uint16
}

// question is the one question of a message.
type question struct {
	// name is in lower case and without a dot at its end; empty where no name of a box is spelt so.
	name        string
	kind, class uint16
	// end is the length of the message up to its end.
	end int
}

// readHeader returns false for what is too short.
func readHeader(message []byte) (header, bool) {
	if len(message) < headerBytes {
		return header{}, false
	}
	return header{
		binary.BigEndian.Uint16(message), binary.BigEndian.Uint16(message[2:]), binary.BigEndian.Uint16(message[4:]),
	}, true
}

// readQuestion reads the question after the header; false where it is none. A question is the first
// name of a message, so it cannot point to another.
func readQuestion(message []byte) (question, bool) {
	name := make([]byte, 0, maxNameBytes)
	spelt := true
	at := headerBytes
	for {
		if at >= len(message) {
			return question{}, false
		}
		length := int(message[at])
		at++
		if length == 0 {
			break
		}
		if length > maxLabelBytes || at+length > len(message) || at+length-headerBytes >= maxNameBytes {
			return question{}, false
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		for _, letter := range message[at : at+length] {
			// One within a label is no dot of a name.
			spelt = spelt && letter != '.'
			name = append(name, lower(letter))
		}
		at += length
	}
	if at+kindAndClassBytes > len(message) {
		return question{}, false
	}
	if !spelt {
		name = name[:0]
	}
	return question{string(name), binary.BigEndian.Uint16(message[at:]), binary.BigEndian.Uint16(message[at+2:]), at + kindAndClassBytes}, true
}

func lower(letter byte) byte {
	if 'A' <= letter && letter <= 'Z' {
		return letter + 'a' - 'A'
	}
	return letter
}

// sameQuestion says whether an answer has the question of a query, in any case of letters. No
// length of a label is a letter.
func sameQuestion(query, answer []byte, end int) bool {
	if len(answer) < end {
		return false
	}
	name := end - kindAndClassBytes
	for at := headerBytes; at < name; at++ {
		if lower(query[at]) != lower(answer[at]) {
			return false
		}
	}
	return bytes.Equal(query[name:end], answer[name:end])
}

// reply begins the answer to a query: its header, with the question as it came where there is one.
func reply(query []byte, asked header, end int, rcode uint16) []byte {
	kept := asked.flags & (opcodeMask | flagRecursionDesired | flagCheckingDisabled)
	answer := make([]byte, headerBytes, maxPlainBytes)
	binary.BigEndian.PutUint16(answer, asked.id)
	binary.BigEndian.PutUint16(answer[2:], flagResponse|kept|flagRecursionAvailable|rcode)
	if end > headerBytes {
		binary.BigEndian.PutUint16(answer[4:], 1)
		answer = append(answer, query[headerBytes:end]...)
	}
	return answer
}

// truncate has a client ask again by TCP.
func truncate(answer []byte) []byte {
	binary.BigEndian.PutUint16(answer[2:], binary.BigEndian.Uint16(answer[2:])|flagTruncated)
	return answer
}

// appendAddresses answers with addresses of the kinds that the question asks for, as many as fit.
// None is the answer that the name has none of that kind. They are not to be kept: a box that
// restarts may have another one.
func appendAddresses(answer []byte, q question, addresses []netip.Addr, limit int) []byte {
	count := uint16(0)
	for _, address := range addresses {
		kind := uint16(typeAAAA)
		if address.Is4() {
			kind = typeA
		}
		if q.kind != kind && q.kind != typeAny {
			continue
		}
		data := address.AsSlice()
		// A pointer to the name of the question, 10 bytes of its kind, class, time and length.
		if len(answer)+12+len(data) > limit {
			answer = truncate(answer)
			break
		}
		answer = append(answer, 0xc0, headerBytes, byte(kind>>8), byte(kind), 0, classInternet, 0, 0, 0, 0, 0, byte(len(data)))
		answer = append(answer, data...)
		count++
	}
	binary.BigEndian.PutUint16(answer[6:], count)
	return answer
}
