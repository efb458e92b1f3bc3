package snp

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	policyMustBeOne  = 1 << 17
	policyMustBeZero = ^uint64(1<<26 - 1)
	highestVMPL      = 3
	// The VMPL of a report that the host asked for.
	vmplHost        = 0xffffffff
	ecdsaP384SHA384 = 1
	keyInfoKnown    = 0b11111
	signingKeyVLEK  = 1
)

// order is the number of points of P-384 (SEC 2, secp384r1), big-endian.
var order = [scalarSize]byte{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
	0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
}

func refuse(code Code, format string, values ...any) error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, values...)}
}

// check runs the checks in their order, up to the first that fails.
func check(report []byte) error {
	if len(report) != Size {
		return refuse(CodeLength, "%d bytes, not %d", len(report), Size)
	}
	version := binary.LittleEndian.Uint32(report[versionAt:])
	if version < 2 || version > 5 {
		return refuse(CodeVersion, "version %d is unknown", version)
	}
	for _, s := range reservedIn(version) {
		if !isZero(s.of(report)) {
			return refuse(CodeReserved, "the %d bytes at %#x are not zero", s.size, s.at)
		}
	}
	if err := checkRequest(report); err != nil {
		return err
	}
	if err := checkSignature(report); err != nil {
		return err
	}
	layout, err := layoutOf(version, report)
	if err != nil {
		return err
	}
	return checkTCBs(report, layout)
}

// checkRequest looks at the guest policy, and at the privilege level that asked for the report.
func checkRequest(report []byte) error {
	policy := binary.LittleEndian.Uint64(report[policyAt:])
	if policy&policyMustBeOne == 0 || policy&policyMustBeZero != 0 {
		return refuse(CodeGuestPolicy, "policy %#x", policy)
	}
	switch vmpl := binary.LittleEndian.Uint32(report[vmplAt:]); {
	case vmpl == vmplHost:
		return refuse(CodeVMPL, "the host asked for the report")
	case vmpl > highestVMPL:
		return refuse(CodeVMPL, "VMPL %d", vmpl)
	}
	return nil
}

// checkSignature looks at how the signature is encoded; it does not verify it.
func checkSignature(report []byte) error {
	if algorithm := binary.LittleEndian.Uint32(report[signatureAlgoAt:]); algorithm != ecdsaP384SHA384 {
		return refuse(CodeSignatureAlgorithm, "algorithm %d", algorithm)
	}
	keyInfo := binary.LittleEndian.Uint32(report[keyInfoAt:])
	if keyInfo > keyInfoKnown || keyInfo>>2 > signingKeyVLEK {
		return refuse(CodeKeyInfo, "key information %#x", keyInfo)
	}
	for _, at := range []int{signatureRAt, signatureSAt} {
		if !isScalar(report[at : at+numberSize]) {
			return refuse(CodeSignatureEncoding, "the number at %#x is out of range", at)
		}
	}
	if !isZero(report[signatureRestAt:]) {
		return refuse(CodeSignatureEncoding, "something is behind the signature")
	}
	return nil
}

// isScalar reports whether a little-endian number is from 1 to the order, less one.
func isScalar(number []byte) bool {
	var value [scalarSize]byte
	for index := range value {
		value[scalarSize-1-index] = number[index]
	}
	return isZero(number[scalarSize:]) && !isZero(value[:]) && bytes.Compare(value[:], order[:]) < 0
}

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}
