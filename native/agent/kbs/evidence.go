package kbs

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"a3s.dev/box/agent/tee"
)

// primaryEvidence is that of SEV-SNP, as CoCo has it: the report, and the certificates of the
// table.
type primaryEvidence struct {
	Report string        `json:"attestation_report"`
	Chain  []certificate `json:"cert_chain"`
}

type certificate struct {
	Type string  `json:"cert_type"`
	Data numbers `json:"data"`
}

// numbers are bytes as virtee's JSON has them: an array of numbers.
type numbers []byte

func (n numbers) MarshalJSON() ([]byte, error) {
	text := []byte{'['}
	for index, value := range n {
		if index > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(value), 10)
	}
	return append(text, ']'), nil
}

// Layout of a certificate table: GHCB specification, section 4.1.8.1. A GUID's bytes are in the
// order of its text.
const (
	tableEntry = 24
	guidBytes  = 16
	maxEntries = 16
	// maxCertificate keeps the request below what a broker reads.
	maxCertificate = 8 << 10
)

// certificateTypes are the names of the certificates that a broker uses.
var certificateTypes = map[string]string{
	"63da758de6644564adc5f4b93be8accd": "VCEK",
	"a8074bc2a25a483eaae639c045a0b8a1": "VLEK",
	"4ab7b379bbac4fe4a02f05aef327c782": "ASK",
	"c0b406a4a803495297433fb6014cd0ae": "ARK",
}

func primaryOf(report tee.Report) primaryEvidence {
	return primaryEvidence{base64.StdEncoding.EncodeToString(report.Report), chainOf(report.Certificates)}
}

// chainOf reads what can be read of a certificate table. It is the host's, and nothing signs it: a
// broker that lacks a certificate looks for it itself, and refuses one that is not AMD's.
func chainOf(table []byte) []certificate {
	chain := []certificate{}
	seen := map[string]bool{}
	for at := 0; at+tableEntry <= len(table) && at < maxEntries*tableEntry; at += tableEntry {
		entry := table[at : at+tableEntry]
		guid := hex.EncodeToString(entry[:guidBytes])
		start := uint64(binary.LittleEndian.Uint32(entry[guidBytes:]))
		size := uint64(binary.LittleEndian.Uint32(entry[guidBytes+4:]))
		name, known := certificateTypes[guid]
		if !known || seen[name] || size == 0 || size > maxCertificate || start+size > uint64(len(table)) {
			continue
		}
		seen[name] = true
		chain = append(chain, certificate{name, numbers(table[start : start+size])})
	}
	return chain
}
