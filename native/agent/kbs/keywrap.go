package kbs

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

var errWrap = errors.New("the key of the answer cannot be unwrapped")

// wrapIV is the initial value of RFC 3394, section 2.2.3.1.
var wrapIV = [8]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// unwrap is the key unwrapping of RFC 3394, section 2.2.2, for a key of 32 bytes.
func unwrap(kek [32]byte, wrapped []byte) (key [32]byte, err error) {
	const blocks = len(key) / 8
	if len(wrapped) != 8+len(key) {
		return key, errWrap
	}
	cipher, err := aes.NewCipher(kek[:])
	if err != nil {
		return key, err
	}
	var block [16]byte
	copy(block[:8], wrapped)
	copy(key[:], wrapped[8:])
	for round := 5; round >= 0; round-- {
		for index := blocks; index >= 1; index-- {
			register := key[8*(index-1) : 8*index]
			step := uint64(blocks*round + index)
			binary.BigEndian.PutUint64(block[:8], binary.BigEndian.Uint64(block[:8])^step)
			copy(block[8:], register)
			cipher.Decrypt(block[:], block[:])
			copy(register, block[8:])
		}
	}
	if subtle.ConstantTimeCompare(block[:8], wrapIV[:]) != 1 {
		clear(key[:])
		return key, errWrap
	}
	return key, nil
}
