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
	// maxReferencePath is the longest path at a broker.
	maxReferencePath = 386
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

// reference is what the header of such a volume has in place of an envelope: the id of the key, the
// length of its path, its path, and the path of the counter.
func (k *Keyed) reference() ([]byte, error) {
	if len(k.Key) != keyBytes {
		return nil, errKeyLength
	}
	id, err := keyID(k.Key)
	if err != nil {
		return nil, err
	}
	data := binary.BigEndian.AppendUint16(id, uint16(len(k.Path)))
	return append(append(data, k.Path...), k.Counter...), nil
}

// isReference says whether bytes are a reference in its one encoding.
func isReference(data []byte) bool {
	if len(data) <= keyIDBytes+2 {
		return false
	}
	size := int(binary.BigEndian.Uint16(data[keyIDBytes:]))
	rest := data[keyIDBytes+2:]
	return size > 0 && size <= maxReferencePath && size <= len(rest) && len(rest)-size <= maxReferencePath
}

// keyFor returns the key of a volume where its header names that key, at that path, with that
// counter: a volume that is counted is opened by no launch spec that does not count it.
func (k *Keyed) keyFor(h *header) ([]byte, error) {
	if h.version != versionKeyed {
		return nil, errNotKeyed
	}
	want, err := k.reference()
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
