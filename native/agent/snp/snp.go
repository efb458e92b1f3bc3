// Package snp reads attestation reports of AMD SEV-SNP (AMD 56860, ATTESTATION_REPORT).
//
// It is for a guest that reads its own report. It verifies nothing: only a report that came from
// the firmware itself can be believed. It accepts the same reports as the verifier of relying
// parties, with checks in the same order and the same codes.
package snp

import "encoding/binary"

// Size is that of a report in bytes.
const Size = 0x4a0

// Report has the fields of a report that a guest needs.
type Report struct {
	Version  uint32
	GuestSVN uint32
	// Policy is the guest policy as the firmware has it.
	Policy          uint64
	VMPL            uint32
	ReportData      [64]byte
	Measurement     [48]byte
	HostData        [32]byte
	IDKeyDigest     [48]byte
	AuthorKeyDigest [48]byte
	// ChipID is zero where the host hides it.
	ChipID [64]byte
	// ReportedTCB is the TCB_VERSION of the key that signed, laid out as the product has it.
	ReportedTCB [8]byte
	// CommittedTCB is the one that the firmware does not go below any more.
	CommittedTCB [8]byte
}

// Parse reads a report of version 2, 3, 4 or 5. Every error is an *Error.
func Parse(data []byte) (*Report, error) {
	if err := check(data); err != nil {
		return nil, err
	}
	report := &Report{
		Version:  binary.LittleEndian.Uint32(data[versionAt:]),
		GuestSVN: binary.LittleEndian.Uint32(data[guestSVNAt:]),
		Policy:   binary.LittleEndian.Uint64(data[policyAt:]),
		VMPL:     binary.LittleEndian.Uint32(data[vmplAt:]),
	}
	copy(report.ReportData[:], data[reportDataAt:])
	copy(report.Measurement[:], data[measurementAt:])
	copy(report.HostData[:], data[hostDataAt:])
	copy(report.IDKeyDigest[:], data[idKeyDigestAt:])
	copy(report.AuthorKeyDigest[:], data[authorKeyDigestAt:])
	copy(report.ChipID[:], data[chipIDAt:])
	copy(report.ReportedTCB[:], data[reportedTCBAt:])
	copy(report.CommittedTCB[:], data[committedTCBAt:])
	return report, nil
}
