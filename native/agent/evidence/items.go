package evidence

import "encoding/binary"

// Items joins items so that no two lists of them give the same bytes: each is preceded by its
// length, four bytes, the highest first.
func Items(items ...[]byte) []byte {
	size := 0
	for _, item := range items {
		size += 4 + len(item)
	}
	joined := make([]byte, 0, size)
	for _, item := range items {
		joined = append(binary.BigEndian.AppendUint32(joined, uint32(len(item))), item...)
	}
	return joined
}
