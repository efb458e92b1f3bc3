package sealedvolume

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

const (
	keyIDBytes = 16
	// maxReferencePath is the longest path at a broker, and maxReferenceName the longest name of a
	// volume.
	maxReferencePath = 386
	maxReferenceName = 57
)

// Keyed is what a broker has for a volume whose key it keeps.
type Keyed struct {
	// Path is that of the key, and Counter that of the volume's counter; empty for none.
	Path, Counter string
	// Key is the broker's. The caller overwrites it.
	Key []byte
	// Used: the counter was advanced, so there is a volume already.
	Used bool
}

// keyID names a key in a header, and tells nothing of it.
func keyID(key []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, "a3s-box/sealed-volume/v2/key-id", keyIDBytes)
}

// reference is what the header of such a volume has in place of an envelope: the id of the key, its
// path and the path of the counter, each after its length, and the volume's name, so that no volume
// opens as another one of the same key.
func (k *Keyed) reference(name string) ([]byte, error) {
	if len(k.Key) != keyBytes {
		return nil, errKeyLength
	}
	id, err := keyID(k.Key)
	if err != nil {
		return nil, err
	}
	data := id
	for _, path := range []string{k.Path, k.Counter} {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(path))), path...)
	}
	return append(data, name...), nil
}

// isReference says whether bytes are a reference in its one encoding.
func isReference(data []byte) bool {
	if len(data) < keyIDBytes {
		return false
	}
	path, rest, ok := cutPath(data[keyIDBytes:])
	if !ok || len(path) == 0 {
		return false
	}
	_, name, ok := cutPath(rest)
	return ok && len(name) > 0 && len(name) <= maxReferenceName
}

// cutPath reads a path after its length.
func cutPath(data []byte) (path, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	size, rest := int(binary.BigEndian.Uint16(data)), data[2:]
	if size > maxReferencePath || size > len(rest) {
		return nil, nil, false
	}
	return rest[:size], rest[size:], true
}

// keyFor returns the key of a volume where its header has that name, and names that key, at that
// path, with that counter: a volume that is counted is opened by no launch spec that does not count
// it.
func (k *Keyed) keyFor(h *header, name string) ([]byte, error) {
	if h.version != versionKeyed {
		return nil, errNotKeyed
	}
	want, err := k.reference(name)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(h.envelope[keyIDBytes:], want[keyIDBytes:]) {
		return nil, errReference
	}
	if !bytes.Equal(h.envelope[:keyIDBytes], want[:keyIDBytes]) {
		return nil, errKeyMismatch
	}
	return slices.Clone(k.Key), nil
}
