package ratls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"a3s.dev/box/agent/evidence"
)

// A certificate is as good as its evidence, and the guest's clock is the host's to set, so its
// validity says nothing. RFC 5280, section 4.1.2.5, has the end for that.
var (
	notBefore = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Names of certificates. The name says whether the evidence is simulated, and so worth nothing.
const (
	subject          = "a3s-box"
	subjectSimulated = "a3s-box SIMULATED, NOT HARDWARE"
)

// newCertificate makes a key, which never leaves this process, and a self-signed certificate with
// evidence in it.
func newCertificate(source *evidence.Source) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	hint, err := source.Extension(spki)
	if err != nil {
		return nil, nil, err
	}
	serial := sha256.Sum256(spki)
	name, identifier := subject, evidence.HardwareExtension
	if source.Simulated() {
		name, identifier = subjectSimulated, evidence.SimulatedExtension
	}
	template := &x509.Certificate{
		// Positive, and no longer than RFC 5280 wants it.
		SerialNumber:       new(big.Int).SetBytes(append([]byte{1}, serial[:15]...)),
		Subject:            pkix.Name{CommonName: name},
		NotBefore:          notBefore,
		NotAfter:           notAfter,
		SignatureAlgorithm: x509.ECDSAWithSHA384,
		KeyUsage:           x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Others fail on a critical extension that they do not know.
		ExtraExtensions: []pkix.Extension{{Id: identifier, Value: hint}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, spki, nil
}
