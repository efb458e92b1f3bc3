package sealing

import (
	"net/http"

	"a3s.dev/box/agent/jsonapi"
)

// Refusals: each names the rule that decided. Those of the first group have the codes of
// sealing/src/errors.ts.
var (
	ErrMalformed   = &jsonapi.Error{Code: "envelope-malformed", Message: "these bytes are not one envelope, in its one encoding", Status: http.StatusBadRequest}
	ErrVersion     = &jsonapi.Error{Code: "envelope-version", Message: "the version of the envelope, or of its key, is unknown", Status: http.StatusBadRequest}
	ErrTEE         = &jsonapi.Error{Code: "sealed-tee", Message: "hardware opens what hardware sealed, and a simulation what a simulation sealed", Status: http.StatusForbidden}
	ErrPolicy      = &jsonapi.Error{Code: "sealing-policy", Message: "`sealing` of the launch spec does not permit this policy", Status: http.StatusForbidden, Rule: "sealing"}
	ErrPurpose     = &jsonapi.Error{Code: "sealed-purpose", Message: "it was sealed for another purpose", Status: http.StatusForbidden}
	ErrSpec        = &jsonapi.Error{Code: "sealed-spec", Message: "it was sealed under another launch spec", Status: http.StatusForbidden}
	ErrMeasurement = &jsonapi.Error{Code: "sealed-measurement", Message: "it was sealed under another launch digest", Status: http.StatusForbidden}
	ErrIDKey       = &jsonapi.Error{Code: "sealed-id-key", Message: "it was sealed under another ID key", Status: http.StatusForbidden}
	ErrSVN         = &jsonapi.Error{Code: "sealed-svn", Message: "the guest SVN is below the one that it was sealed for", Status: http.StatusForbidden}
	ErrBroken      = &jsonapi.Error{Code: "seal-broken", Message: "it was changed, or another processor sealed it", Status: http.StatusForbidden}

	ErrNoIDKey    = &jsonapi.Error{Code: "id-key-missing", Message: "upgradable envelopes bind the ID key, and the guest was launched without an ID block", Status: http.StatusForbidden}
	ErrMinimumSVN = &jsonapi.Error{Code: "minimum-svn", Message: "minimumSvn must be from 0 to the guest's own, and belongs to upgradable envelopes", Status: http.StatusBadRequest}
	ErrNoPolicy   = &jsonapi.Error{Code: "policy-unknown", Message: "policy must be exact or upgradable", Status: http.StatusBadRequest}
	ErrNoPurpose  = &jsonapi.Error{Code: "purpose-malformed", Message: "purpose must be 1 to 64 of a-z, 0-9, '.', '_', '/' and '-', and begin with a letter or digit", Status: http.StatusBadRequest}
	ErrValueSize  = &jsonapi.Error{Code: "value-too-large", Message: "the value has more than 65536 bytes", Status: http.StatusRequestEntityTooLarge}
	ErrNoKey      = &jsonapi.Error{Code: "sealing-key-refused", Message: "the secure processor refuses the key, as it does for a TCB above its own", Status: http.StatusForbidden}
)

// Refusals by a floor, which the workload alone can give. A client has the envelope and reads its
// header before it sends it.
var (
	ErrBelowSVN   = &jsonapi.Error{Code: "below-minimum-svn", Message: "its guest SVN is below minimumSvn", Status: http.StatusForbidden}
	ErrBelowTCB   = &jsonapi.Error{Code: "below-minimum-tcb", Message: "a part of its TCB is below that of minimumTcb", Status: http.StatusForbidden}
	ErrFloorSVN   = &jsonapi.Error{Code: "minimum-svn", Message: "minimumSvn must be from 0 to 4294967295", Status: http.StatusBadRequest}
	ErrMinimumTCB = &jsonapi.Error{Code: "minimum-tcb", Message: "minimumTcb must be 16 lower-case hexadecimal digits", Status: http.StatusBadRequest}
)

// FloorRefusals are those.
var FloorRefusals = []*jsonapi.Error{ErrBelowSVN, ErrBelowTCB, ErrFloorSVN, ErrMinimumTCB}

// Refusals are all others.
var Refusals = []*jsonapi.Error{
	ErrMalformed, ErrVersion, ErrTEE, ErrPolicy, ErrPurpose, ErrSpec, ErrMeasurement, ErrIDKey, ErrSVN, ErrBroken,
	ErrNoIDKey, ErrMinimumSVN, ErrNoPolicy, ErrNoPurpose, ErrValueSize, ErrNoKey,
}
