package sealing

import (
	"crypto/hmac"
	"crypto/sha256"
)

const macSize = sha256.Size

// A reference is a header and its HMAC. Without the HMAC, whoever keeps the reference could change
// its salt, SVN or TCB, and have the workload get another key unnoticed.
func parseReference(data []byte) (h *header, mac []byte, err error) {
	h, size, err := parse(data)
	if err != nil {
		return nil, nil, err
	}
	if len(data) != size+macSize {
		return nil, nil, ErrMalformed
	}
	return h, data[size:], nil
}

// authenticate returns the HMAC of a header.
func (h *header) authenticate(processorKey []byte) ([]byte, error) {
	key, err := h.expand(referenceDomain, processorKey)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write(h.encode())
	return mac.Sum(nil), nil
}

// again returns the workload's key of a header whose HMAC is right.
func (h *header) again(mac, processorKey []byte) ([]byte, error) {
	want, err := h.authenticate(processorKey)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, want) {
		return nil, ErrBroken
	}
	return h.expand(deriveDomain, processorKey)
}
