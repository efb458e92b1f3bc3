// Package sealing keeps values for a guest: in envelopes under keys of its secure processor, which
// no other guest gets. docs/confidential/sealing.md describes them byte for byte; sealing/ has the
// same in TypeScript.
package sealing

import (
	"encoding/binary"

	"a3s.dev/box/agent/tee"
)

// Policy says which guests get the key of an envelope.
type Policy byte

// Policies.
const (
	Exact      Policy = 1
	Upgradable Policy = 2
)

// Kinds of processors that seal.
const (
	teeSNP       = 1
	teeSimulated = 2
)

// Versions of the format, and of how a key is made of a header.
const (
	version    = 1
	keyVersion = 1
)

const (
	magic      = "A3S-SEAL"
	maxPurpose = 64
	tagSize    = 16
)

// MaxValue and MaxEnvelope bound a value and its envelope.
const (
	MaxValue    = 64 << 10
	MaxEnvelope = purposeAt + maxPurpose + MaxValue + tagSize
)

// Where each field of a header begins; numbers are big-endian.
const (
	versionAt     = 8
	keyVersionAt  = 10
	teeAt         = 12
	policyAt      = 13
	purposeSizeAt = 14
	fieldsAt      = 16
	guestSVNAt    = 24
	tcbAt         = 28
	measurementAt = 36
	idKeyDigestAt = 84
	hostDataAt    = 132
	saltAt        = 164
	purposeAt     = 196
)

// fields are mixed in by the processor. An upgrade changes neither family id nor policy, and the
// keys of an older TCB can be asked for.
func (p Policy) fields() tee.Fields {
	if p == Upgradable {
		return tee.FieldPolicy | tee.FieldFamilyID | tee.FieldGuestSVN | tee.FieldTCB
	}
	return tee.FieldPolicy | tee.FieldImageID | tee.FieldFamilyID | tee.FieldMeasurement | tee.FieldGuestSVN | tee.FieldTCB
}

// header says which guest opens an envelope, and how its key is made.
type header struct {
	tee         byte
	policy      Policy
	purpose     string
	guestSVN    uint32
	tcb         uint64
	measurement [48]byte
	idKeyDigest [48]byte
	hostData    [32]byte
	salt        [32]byte
}

func (h *header) encode() []byte {
	data := make([]byte, purposeAt, purposeAt+maxPurpose)
	copy(data, magic)
	binary.BigEndian.PutUint16(data[versionAt:], version)
	binary.BigEndian.PutUint16(data[keyVersionAt:], keyVersion)
	data[teeAt], data[policyAt] = h.tee, byte(h.policy)
	binary.BigEndian.PutUint16(data[purposeSizeAt:], uint16(len(h.purpose)))
	binary.BigEndian.PutUint64(data[fieldsAt:], uint64(h.policy.fields()))
	binary.BigEndian.PutUint32(data[guestSVNAt:], h.guestSVN)
	binary.BigEndian.PutUint64(data[tcbAt:], h.tcb)
	copy(data[measurementAt:], h.measurement[:])
	copy(data[idKeyDigestAt:], h.idKeyDigest[:])
	copy(data[hostDataAt:], h.hostData[:])
	copy(data[saltAt:], h.salt[:])
	return append(data, h.purpose...)
}

// parse reads the header at the beginning of data. It takes one encoding of each.
func parse(data []byte) (h *header, size int, err error) {
	if len(data) <= purposeAt || string(data[:len(magic)]) != magic {
		return nil, 0, ErrMalformed
	}
	if binary.BigEndian.Uint16(data[versionAt:]) != version || binary.BigEndian.Uint16(data[keyVersionAt:]) != keyVersion {
		return nil, 0, ErrVersion
	}
	h = &header{
		tee: data[teeAt], policy: Policy(data[policyAt]),
		guestSVN: binary.BigEndian.Uint32(data[guestSVNAt:]), tcb: binary.BigEndian.Uint64(data[tcbAt:]),
		measurement: [48]byte(data[measurementAt:]), idKeyDigest: [48]byte(data[idKeyDigestAt:]),
		hostData: [32]byte(data[hostDataAt:]), salt: [32]byte(data[saltAt:]),
	}
	size = purposeAt + int(binary.BigEndian.Uint16(data[purposeSizeAt:]))
	if size > len(data) {
		return nil, 0, ErrMalformed
	}
	h.purpose = string(data[purposeAt:size])
	if !h.wellFormed() || binary.BigEndian.Uint64(data[fieldsAt:]) != uint64(h.policy.fields()) {
		return nil, 0, ErrMalformed
	}
	return h, size, nil
}

// wellFormed checks the values of fields. Fields that the policy binds are non-zero; the others are
// zero.
func (h *header) wellFormed() bool {
	if h.tee != teeSNP && h.tee != teeSimulated || !isPurpose(h.purpose) {
		return false
	}
	switch h.policy {
	case Exact:
		return h.measurement != [48]byte{} && h.idKeyDigest == [48]byte{}
	case Upgradable:
		return h.measurement == [48]byte{} && h.idKeyDigest != [48]byte{}
	default:
		return false
	}
}

// isPurpose says whether a text can be one.
func isPurpose(text string) bool {
	if text == "" || len(text) > maxPurpose {
		return false
	}
	for index := range len(text) {
		c := text[index]
		alphanumeric := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		mark := c == '.' || c == '_' || c == '/' || c == '-'
		if !alphanumeric && (index == 0 || !mark) {
			return false
		}
	}
	return true
}
