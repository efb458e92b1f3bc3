// Package tee is the guest's secure processor, behind an interface that a fake has as well.
package tee

import "errors"

// Kind is the kind of processor that the guest has. Only the measured command line says so.
type Kind string

// Kinds of secure processors.
const (
	SNP       Kind = "snp"
	Simulated Kind = "simulated"
)

// Report is the processor's report of the guest.
type Report struct {
	// Report is an ATTESTATION_REPORT of AMD 56860.
	Report []byte
	// Certificates is the host's certificate table in the layout of the GHCB specification; empty
	// where the host gave none. It is not authenticated.
	Certificates []byte
}

// RootKey is the key that others are derived from.
type RootKey uint32

// Root keys, by their numbers in the ABI.
const (
	VCEK RootKey = 0
	VMRK RootKey = 1
)

// Fields are the inputs of a derived key, by the bits of GUEST_FIELD_SELECT.
type Fields uint64

// Fields of a derived key.
const (
	FieldPolicy Fields = 1 << iota
	FieldImageID
	FieldFamilyID
	FieldMeasurement
	FieldGuestSVN
	FieldTCB
)

// KeyRequest names a key.
type KeyRequest struct {
	RootKey  RootKey
	Fields   Fields
	VMPL     uint32
	GuestSVN uint32
	TCB      uint64
}

// Processor is a secure processor. Its methods can be called by several goroutines at once.
type Processor interface {
	// Report returns a report over these bytes. It was checked to be one, over these bytes.
	Report(data [64]byte) (Report, error)
	// DeriveKey returns a key that only this guest gets. It is never zero.
	DeriveKey(request KeyRequest) ([32]byte, error)
}

// Errors of processors.
var (
	ErrReport = errors.New("the secure processor answered with what is not a report over the data that it was given")
	ErrKey    = errors.New("the secure processor answered with what is not a key")
)
