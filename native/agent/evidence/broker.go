package evidence

import (
	"crypto/ecdh"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"

	"a3s.dev/box/agent/tee"
)

// Names of technologies, as brokers have them: KBS protocol 0.4, and our own for the simulation.
const (
	kbsSNP       = "snp"
	kbsSimulated = "a3s-simulated"
)

// BrokerKey is a guest's key, to which a broker encrypts: a JWK. Its members are in canonical
// order.
type BrokerKey struct {
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	Type      string `json:"kty"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// KeyForBroker describes a key on P-256.
func KeyForBroker(key *ecdh.PublicKey) BrokerKey {
	// An uncompressed point: 4, x, y.
	point := key.Bytes()[1:]
	encode := base64.RawURLEncoding.EncodeToString
	return BrokerKey{"ECDH-ES+A256KW", "P-256", "EC", encode(point[:len(point)/2]), encode(point[len(point)/2:])}
}

// brokerData is what KBS protocol 0.4 hashes: members in canonical order (RFC 8785), of values
// that need no escape.
type brokerData struct {
	Additional string    `json:"additional-evidence"`
	Nonce      string    `json:"nonce"`
	Key        BrokerKey `json:"tee-pubkey"`
}

// Broker proves to a broker, which gave the nonce, that this key is the guest's own. The caller has
// checked that it talks to the broker of its launch spec.
//
// REPORT_DATA is that of KBS protocol 0.4, which has no purpose of its own. It cannot be that of
// another report of this guest: others are SHA-512 over bytes that begin with a length, and this
// one is SHA-384 over JSON, with zeros behind it.
func (s *Source) Broker(nonce []byte, key *ecdh.PublicKey) (tee.Report, error) {
	report, err := s.config.Processor.Report(brokerReportData(nonce, key))
	if err != nil {
		return tee.Report{}, err
	}
	return tee.Report{Report: report.Report, Certificates: s.certificates(report)}, nil
}

func brokerReportData(nonce []byte, key *ecdh.PublicKey) (data [64]byte) {
	text, err := json.Marshal(brokerData{"", base64.StdEncoding.EncodeToString(nonce), KeyForBroker(key)})
	if err != nil {
		// It has texts alone.
		panic(err)
	}
	sum := sha512.Sum384(text)
	copy(data[:], sum[:])
	return data
}

// BrokerTEE is what brokers call the guest's technology.
func (s *Source) BrokerTEE() string {
	if s.config.Simulated {
		return kbsSimulated
	}
	return kbsSNP
}
