// Package snptest makes reports for tests: well-formed, and not signed.
package snptest

import (
	"encoding/binary"

	"a3s.dev/box/agent/snp"
)

// Report returns a report of a Milan.
func Report(data [64]byte, measurement [48]byte, hostData [32]byte) []byte {
	report := make([]byte, snp.Size)
	binary.LittleEndian.PutUint32(report[0x000:], 5)       // VERSION
	binary.LittleEndian.PutUint64(report[0x008:], 0x30000) // POLICY
	binary.LittleEndian.PutUint32(report[0x034:], 1)       // SIGNATURE_ALGO
	copy(report[0x050:], data[:])                          // REPORT_DATA
	copy(report[0x090:], measurement[:])                   // MEASUREMENT
	copy(report[0x0c0:], hostData[:])                      // HOST_DATA
	copy(report[0x188:], []byte{0x19, 0x01, 0x01})         // CPUID
	copy(report[0x1a0:], []byte{0x01})                     // CHIP_ID
	report[0x2a0], report[0x2e8] = 1, 1                    // SIGNATURE
	return report
}
