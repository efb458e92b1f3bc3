package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"

	"a3s.dev/box/agent/evidence"
)

// Domains keep the keys of envelopes apart from those that the workload gets, and both from those
// that authenticate references. Those of volumes are the agent's own: neither the workload nor a
// sealer can have an envelope of a volume opened.
const (
	sealDomain      = "a3s-box/seal/v1"
	volumeDomain    = "a3s-box/volume/v1"
	deriveDomain    = "a3s-box/derive/v1"
	referenceDomain = "a3s-box/reference/v1"
)

const keySize = 32

// expand makes a key of the processor's. HOST_DATA and the ID key are among its inputs because no
// processor mixes them into its own keys.
func (h *header) expand(domain string, processorKey []byte) ([]byte, error) {
	info := evidence.Items([]byte(domain), h.hostData[:], h.measurement[:], h.idKeyDigest[:], []byte(h.purpose))
	return hkdf.Key(sha256.New, processorKey, h.salt[:], string(info), keySize)
}

// gcm encrypts once, since each envelope has a salt and so a key of its own: its nonce is zero.
func (h *header) gcm(domain string, processorKey []byte) (cipher.AEAD, []byte, error) {
	key, err := h.expand(domain, processorKey)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	return aead, make([]byte, aead.NonceSize()), nil
}

// seal encrypts a value; the header is authenticated with it.
func (h *header) seal(domain string, value, processorKey []byte) ([]byte, error) {
	aead, nonce, err := h.gcm(domain, processorKey)
	if err != nil {
		return nil, err
	}
	encoded := h.encode()
	return aead.Seal(encoded, nonce, value, encoded), nil
}

// envelope is one whose header was read, and nothing of it verified.
type envelope struct {
	*header
	encoded, content []byte
}

func parseEnvelope(data []byte) (*envelope, error) {
	h, size, err := parse(data)
	if err != nil {
		return nil, err
	}
	content := data[size:]
	if len(content) < tagSize || len(content) > MaxValue+tagSize {
		return nil, ErrMalformed
	}
	return &envelope{h, data[:size], content}, nil
}

// open returns the value.
func (e *envelope) open(domain string, processorKey []byte) ([]byte, error) {
	aead, nonce, err := e.gcm(domain, processorKey)
	if err != nil {
		return nil, err
	}
	value, err := aead.Open([]byte{}, nonce, e.content, e.encoded)
	if err != nil {
		return nil, ErrBroken
	}
	return value, nil
}
