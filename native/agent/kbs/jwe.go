package kbs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/strictjson"
)

// What the broker encrypts with: RFC 7518, sections 4.6 and 5.3.
const (
	algorithm  = "ECDH-ES+A256KW"
	encryption = "A256GCM"
	curve      = "P-256"
	keyType    = "EC"
)

// Sizes of parts.
const (
	coordinateBytes = 32
	ivBytes         = 12
	tagBytes        = 16
	maxHeaderText   = 2 << 10
)

// volumeKey is the kind of a key that the broker has made, which no administrator knows. A secret
// has none.
const volumeKey = "volume-key"

// sealed is a JWE in its flattened form (RFC 7516, section 7.2.2), without the members that the
// broker does not use.
type sealed struct {
	Protected    string `json:"protected"`
	EncryptedKey string `json:"encrypted_key"`
	IV           string `json:"iv"`
	Ciphertext   string `json:"ciphertext"`
	Tag          string `json:"tag"`
}

// header is the protected header. There is no kid: the key is the only one of its session.
type header struct {
	Algorithm  string    `json:"alg"`
	Encryption string    `json:"enc"`
	Key        publicKey `json:"epk"`
	// Resource is the tenant and the path of what is inside.
	Resource string `json:"resource"`
	// Kind is volumeKey; nil for a secret.
	Kind *string `json:"kind"`
}

type publicKey struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

var (
	errNotSealed  = fmt.Errorf("%w: it is not a JWE of the broker's", ErrAnswer)
	errResource   = fmt.Errorf("%w: it is another resource", ErrAnswer)
	errDecryption = fmt.Errorf("%w: it is not encrypted to this guest", ErrAnswer)
)

// open decrypts an answer that has to be the resource, of that kind, empty for a secret. The
// caller overwrites what it gets.
func open(answer []byte, key *ecdh.PrivateKey, resource, kind string) ([]byte, error) {
	jwe := &sealed{}
	if err := strictjson.Decode(answer, jwe); err != nil {
		return nil, errNotSealed
	}
	head, err := jwe.header()
	if err != nil {
		return nil, err
	}
	if head.Resource != resource {
		return nil, errResource
	}
	if kind == "" && head.Kind != nil || kind != "" && (head.Kind == nil || *head.Kind != kind) {
		return nil, ErrKind
	}
	peer, err := head.Key.point()
	if err != nil {
		return nil, err
	}
	shared, err := key.ECDH(peer)
	if err != nil {
		return nil, errNotSealed
	}
	defer clear(shared)
	return jwe.decrypt(concatKDF(shared))
}

// header reads the protected header. A header that has anything else, or says anything else, is
// refused: `zip`, `crit`, `kid` and other algorithms among it.
func (s *sealed) header() (*header, error) {
	if len(s.Protected) > maxHeaderText {
		return nil, errNotSealed
	}
	text, err := decode(s.Protected)
	if err != nil {
		return nil, err
	}
	head := &header{}
	if err := strictjson.Decode(text, head); err != nil {
		return nil, errNotSealed
	}
	if head.Algorithm != algorithm || head.Encryption != encryption || head.Key.Curve != curve || head.Key.Type != keyType {
		return nil, errNotSealed
	}
	return head, nil
}

// point is one on the curve.
func (k *publicKey) point() (*ecdh.PublicKey, error) {
	encoded := []byte{4}
	for _, text := range []string{k.X, k.Y} {
		coordinate, err := decodeSized(text, coordinateBytes)
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, coordinate...)
	}
	point, err := ecdh.P256().NewPublicKey(encoded)
	if err != nil {
		return nil, errNotSealed
	}
	return point, nil
}

func (s *sealed) decrypt(kek [32]byte) ([]byte, error) {
	defer clear(kek[:])
	iv, err := decodeSized(s.IV, ivBytes)
	if err != nil {
		return nil, err
	}
	tag, err := decodeSized(s.Tag, tagBytes)
	if err != nil {
		return nil, err
	}
	ciphertext, err := decode(s.Ciphertext)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) > secrets.MaxValue {
		return nil, secrets.ErrTooLarge
	}
	wrapped, err := decode(s.EncryptedKey)
	if err != nil {
		return nil, err
	}
	key, err := unwrap(kek, wrapped)
	if err != nil {
		return nil, errDecryption
	}
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, iv, append(ciphertext, tag...), []byte(s.Protected))
	if err != nil {
		return nil, errDecryption
	}
	return plain, nil
}

// concatKDF is that of RFC 7518, section 4.6.2, for 256 bits and parties without names: one round.
func concatKDF(shared []byte) [32]byte {
	number := func(value int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(value)) }
	return sha256.Sum256(bytes.Join([][]byte{
		number(1), shared, number(len(algorithm)), []byte(algorithm), number(0), number(0), number(256),
	}, nil))
}

// decode reads base64url without padding, in its one spelling.
func decode(text string) ([]byte, error) {
	// Package base64 skips line ends.
	for index := range len(text) {
		if text[index] == '\r' || text[index] == '\n' {
			return nil, errNotSealed
		}
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errNotSealed
	}
	return decoded, nil
}

func decodeSized(text string, size int) ([]byte, error) {
	decoded, err := decode(text)
	if err == nil && len(decoded) != size {
		err = errNotSealed
	}
	return decoded, err
}
