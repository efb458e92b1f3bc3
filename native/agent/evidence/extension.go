package evidence

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
)

// Identifiers of the certificate's extension. That of simulated evidence is one of our own, which
// no verifier of hardware knows: the UUID c2d56761-2bda-4038-8928-1b5c86d1bed7 in parts, since an
// arc of 128 bits, as below 2.25, is more than most parsers take.
var (
	// HardwareExtension is tcg-dice-conceptual-message-wrapper.
	HardwareExtension = asn1.ObjectIdentifier{2, 23, 133, 5, 4, 9}
	// SimulatedExtension is evidence that is worth nothing.
	SimulatedExtension = asn1.ObjectIdentifier{
		1, 2, 840, 113556, 1, 8000, 2554, 49877, 26465, 11226, 16440, 35112, 1793158, 13745879,
	}
)

const (
	// tagSNP says that the evidence is of SEV-SNP. No tag is registered; other implementations use
	// this one.
	tagSNP = 0x1a7504
	// hashSHA384 is that hash in the registry of named information hash algorithms.
	hashSHA384 = 7
	// maxHint bounds the certificate table in a certificate: it is sent in every handshake.
	maxHint = 16 << 10
)

// claims is the claims-buffer of a certificate: whose key it is, and which guest holds it.
func claims(spki []byte, instance [16]byte, specDigest [32]byte) []byte {
	hash := sha512.Sum384(spki)
	key := appendHead(nil, cborArray, 2)
	key = appendHead(key, cborUnsigned, hashSHA384)
	key = appendBytes(key, hash[:])
	// The order of deterministic encoding: shorter keys first.
	buffer := appendHead(nil, cborMap, 3)
	buffer = appendBytes(appendText(buffer, "pubkey-hash"), key)
	buffer = appendBytes(appendText(buffer, "a3s-instance"), instance[:])
	return appendBytes(appendText(buffer, "a3s-spec-digest"), specDigest[:])
}

// claimsReportData is REPORT_DATA of the report beside those claims.
func claimsReportData(claims []byte) (data [64]byte) {
	sum := sha256.Sum256(claims)
	copy(data[:], sum[:])
	return data
}

// extension is the value of the certificate's extension.
func extension(report, certificates, claims []byte) []byte {
	if len(certificates) > maxHint {
		certificates = nil
	}
	quote := append(append(make([]byte, 0, len(report)+len(certificates)), report...), certificates...)
	value := appendHead(nil, cborTag, tagSNP)
	value = appendHead(value, cborArray, 2)
	return appendBytes(appendBytes(value, quote), claims)
}
