// Package sealedvolume opens the disks of sealed volumes: encrypted and authenticated under a
// random key, which an envelope in the disk's header has for the guests that may have it.
// docs/confidential/sealing.md describes the header byte for byte.
//
// The disk is the host's, which may return anything for a read.
package sealedvolume

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"a3s.dev/box/agent/dm"
)

const (
	magic = "A3S-VOLM"
	// versionSealed has the volume's key in an envelope, and versionKeyed names a key of a broker.
	versionSealed = 1
	versionKeyed  = 2
	// headerBytes is the length of a header, which a disk writes at once.
	headerBytes = 4096
	macBytes    = sha256.Size
	keyBytes    = 32
	// maxEnvelope is more than an envelope of such a key has, and than a reference.
	maxEnvelope = 1024
)

// Where each field of a header begins; numbers are big-endian.
const (
	versionAt      = 8
	envelopeSizeAt = 10
	stateAt        = 12
	zeroAt         = 13
	generationAt   = 16
	diskBytesAt    = 24
	idAt           = 32
	envelopeAt     = 48
	macAt          = headerBytes - macBytes
)

// States of a volume.
const (
	// making is a disk on which no workload has had a file system yet.
	making = 1
	ready  = 2
	// unused is a volume that is complete, and that no workload has had yet.
	unused = 3
)

// header is one copy of the header of a disk.
type header struct {
	version uint16
	state   byte
	// generation is higher in the newer copy.
	generation uint64
	diskBytes  int64
	id         [16]byte
	// envelope is a reference where the version is versionKeyed.
	envelope []byte
	encoded  []byte
}

var errHeader = errors.New("it is not a header of a sealed volume, in its one encoding")

// encode returns the header with its MAC.
func (h *header) encode(key []byte) ([]byte, error) {
	data := make([]byte, headerBytes)
	copy(data, magic)
	binary.BigEndian.PutUint16(data[versionAt:], h.version)
	binary.BigEndian.PutUint16(data[envelopeSizeAt:], uint16(len(h.envelope)))
	data[stateAt] = h.state
	binary.BigEndian.PutUint64(data[generationAt:], h.generation)
	binary.BigEndian.PutUint64(data[diskBytesAt:], uint64(h.diskBytes))
	copy(data[idAt:], h.id[:])
	copy(data[envelopeAt:], h.envelope)
	mac, err := macOf(data, h.id, key)
	if err != nil {
		return nil, err
	}
	copy(data[macAt:], mac)
	return data, nil
}

// parse reads a header, and verifies nothing of it. It takes one encoding of each.
func parse(data []byte) (*header, error) {
	if len(data) != headerBytes || string(data[:len(magic)]) != magic {
		return nil, errHeader
	}
	version := binary.BigEndian.Uint16(data[versionAt:])
	if version != versionSealed && version != versionKeyed {
		return nil, errHeader
	}
	size := int(binary.BigEndian.Uint16(data[envelopeSizeAt:]))
	if size == 0 || size > maxEnvelope {
		return nil, errHeader
	}
	h := &header{
		version: version, state: data[stateAt], generation: binary.BigEndian.Uint64(data[generationAt:]),
		diskBytes: int64(binary.BigEndian.Uint64(data[diskBytesAt:])), id: [16]byte(data[idAt:]),
		envelope: data[envelopeAt:][:size], encoded: data,
	}
	ok := h.state >= making && h.state <= unused && h.generation > 0 && h.diskBytes >= dm.MinKept && h.id != [16]byte{} &&
		isZero(data[zeroAt:generationAt]) && isZero(data[envelopeAt+size:macAt]) &&
		(version == versionSealed || isReference(h.envelope))
	if !ok {
		return nil, errHeader
	}
	return h, nil
}

// verify says whether a header has the MAC of a key.
func (h *header) verify(key []byte) (bool, error) {
	want, err := macOf(h.encoded, h.id, key)
	return err == nil && hmac.Equal(want, h.encoded[macAt:]), err
}

func macOf(encoded []byte, id [16]byte, key []byte) ([]byte, error) {
	own, err := derive(key, id, "header", sha256.Size)
	if err != nil {
		return nil, err
	}
	defer clear(own)
	mac := hmac.New(sha256.New, own)
	mac.Write(encoded[:macAt])
	return mac.Sum(nil), nil
}

// derive makes a key for one use of the volume's.
func derive(key []byte, id [16]byte, use string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, key, id[:], "a3s-box/sealed-volume/v1/"+use, size)
}

// diskKeys are those of the encrypted device.
func diskKeys(key []byte, id [16]byte) (*dm.KeptKeys, error) {
	keys := &dm.KeptKeys{}
	for use, to := range map[string][]byte{"data": keys.Data[:], "journal": keys.Journal[:]} {
		own, err := derive(key, id, use, len(to))
		if err != nil {
			keys.Clear()
			return nil, err
		}
		copy(to, own)
		clear(own)
	}
	return keys, nil
}

var zeros [headerBytes]byte

// isZero compares whole pages: it reads megabytes at each start.
func isZero(data []byte) bool {
	for len(data) > len(zeros) {
		if [headerBytes]byte(data) != zeros {
			return false
		}
		data = data[headerBytes:]
	}
	return string(data) == string(zeros[:len(data)])
}
