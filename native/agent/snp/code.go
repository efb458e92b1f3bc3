package snp

// Code is a stable name of a check, the same as in the verifier of relying parties.
type Code string

// The checks, in their order.
const (
	CodeLength             Code = "report-length"
	CodeVersion            Code = "report-version"
	CodeReserved           Code = "report-reserved"
	CodeGuestPolicy        Code = "report-guest-policy"
	CodeVMPL               Code = "report-vmpl"
	CodeSignatureAlgorithm Code = "report-signature-algorithm"
	CodeKeyInfo            Code = "report-key-info"
	CodeSignatureEncoding  Code = "report-signature-encoding"
	CodeProduct            Code = "product"
	CodeTCB                Code = "report-tcb"
)

// Error is the first check that a report fails.
type Error struct {
	Code Code
	// Reason says what was found.
	Reason string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Reason }
