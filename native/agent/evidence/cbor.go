package evidence

import "encoding/binary"

// Major types of CBOR; RFC 8949, section 3.1.
const (
	cborUnsigned = 0
	cborBytes    = 2
	cborText     = 3
	cborArray    = 4
	cborMap      = 5
	cborTag      = 6
)

// appendHead begins an item, in the shortest of its encodings, which is the only deterministic one;
// RFC 8949, section 4.2.1.
func appendHead(to []byte, major byte, argument uint32) []byte {
	major <<= 5
	switch {
	case argument < 24:
		return append(to, major|byte(argument))
	case argument < 1<<8:
		return append(to, major|24, byte(argument))
	case argument < 1<<16:
		return binary.BigEndian.AppendUint16(append(to, major|25), uint16(argument))
	default:
		return binary.BigEndian.AppendUint32(append(to, major|26), argument)
	}
}

func appendBytes(to, value []byte) []byte {
	return append(appendHead(to, cborBytes, uint32(len(value))), value...)
}

func appendText(to []byte, value string) []byte {
	return append(appendHead(to, cborText, uint32(len(value))), value...)
}
