package ratls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"math/big"

	"a3s.dev/box/agent/evidence"
)

// injectDomain keeps what injectors sign apart from all else.
const injectDomain = "a3s-box/inject-secret/v1"

// injection is the statement that the injector of a secret signs: this value of this secret, for
// this guest, over this connection.
type injection struct {
	exporter   []byte
	agentKey   []byte
	instance   [16]byte
	specDigest [32]byte
	secret     string
	value      []byte
}

func (i *injection) message() []byte {
	digest := sha256.Sum256(i.value)
	return evidence.Items(
		[]byte(injectDomain), i.exporter, i.agentKey, i.instance[:], i.specDigest[:], []byte(i.secret), digest[:],
	)
}

// injectorKey is a key that may sign injections.
type injectorKey struct {
	// digest names it in launch specs: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal digits.
	digest string
	verify func(message, signature []byte) bool
}

// maxKey bounds the SPKI of an injector; those of the three kinds are 44, 91 and 120 bytes.
const maxKey = 128

// parseInjectorKey reads the SPKI of an Ed25519 key, or of an ECDSA key on P-256 or P-384. A key
// has one encoding, so that it has one digest.
func parseInjectorKey(spki []byte) (*injectorKey, error) {
	if len(spki) > maxKey {
		return nil, errKey
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, errKey
	}
	verify := verifier(parsed)
	if verify == nil {
		return nil, errKey
	}
	if canonical, err := x509.MarshalPKIXPublicKey(parsed); err != nil || !bytes.Equal(canonical, spki) {
		return nil, errKey
	}
	digest := sha256.Sum256(spki)
	return &injectorKey{hex.EncodeToString(digest[:]), verify}, nil
}

// verifier is how the signatures of a key are checked; nil for a kind of key that injectors do not
// have.
func verifier(key any) func(message, signature []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return func(message, signature []byte) bool { return ed25519.Verify(key, message, signature) }
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return func(message, signature []byte) bool {
				digest := sha256.Sum256(message)
				return verifyP1363(key, digest[:], signature, 32)
			}
		case elliptic.P384():
			return func(message, signature []byte) bool {
				digest := sha512.Sum384(message)
				return verifyP1363(key, digest[:], signature, 48)
			}
		}
	}
	return nil
}

// verifyP1363 checks a signature that is r and s, one after the other, each as long as the order of
// the curve.
func verifyP1363(key *ecdsa.PublicKey, digest, signature []byte, size int) bool {
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, digest, r, s)
}
