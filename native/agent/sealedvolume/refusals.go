package sealedvolume

import (
	"errors"
	"net/http"

	"a3s.dev/box/agent/jsonapi"
)

// Codes of refusals; those of the host have the same.
const (
	CodeEmpty   = "volume-empty"
	CodeRefused = "volume-refused"
	CodeDamaged = "volume-damaged"
	// CodeKey is a broker's key that is not the volume's, and CodeUsed an empty disk in place of a
	// volume that its broker has counted.
	CodeKey      = "volume-key-mismatch"
	CodeUsed     = "volume-rolled-back"
	damagedWords = "it cannot be opened, and is left as it is: "
)

func refusal(code, message string) error {
	return &jsonapi.Error{Code: code, Message: message, Status: http.StatusForbidden}
}

// Refusals of a disk.
var (
	errEmpty       = refusal(CodeEmpty, "the disk is empty, and the launch spec does not permit to make a volume of it")
	errMaking      = refusal(CodeEmpty, "the volume was never made completely, and the launch spec does not permit to make it")
	errOther       = refusal(CodeRefused, "it is another volume than the one whose id the launch spec has")
	errHeaders     = refusal(CodeDamaged, damagedWords+"neither copy of its header is whole")
	errNotKeyed    = refusal(CodeRefused, "the launch spec has its key at a broker, and the volume was made with a sealed one")
	errKeyed       = refusal(CodeRefused, "the volume was made with a key of a broker, and the launch spec names none")
	errReference   = refusal(CodeRefused, "the volume was made under another name, with a key at another path of the broker, or with another counter or none")
	errKeyLength   = refusal(CodeKey, "the broker's key does not have 32 bytes")
	errKeyMismatch = refusal(CodeKey, "the broker's key is another one than that which the volume was made with")
	errUsed        = refusal(CodeUsed, "the broker's counter is that of a volume, and this disk has none: nothing is formatted")
	errLength      = refusal(CodeDamaged, damagedWords+"the disk has another length than when it was made")
)

// damaged is a disk of which something else cannot be used.
func damaged(cause error) error {
	return refusal(CodeDamaged, damagedWords+cause.Error())
}

// isRefusal says whether an error tells something of the volume. A processor that does not answer
// tells nothing.
func isRefusal(err error) bool {
	var rule *jsonapi.Error
	return errors.As(err, &rule) && rule != jsonapi.ErrProcessor && rule != jsonapi.ErrTooMany
}

// keyRefused says which rule of sealing keeps the guest from the key.
func keyRefused(err error) error {
	var rule *jsonapi.Error
	if !isRefusal(err) || !errors.As(err, &rule) {
		return err
	}
	return refusal(CodeRefused, "this guest does not get the key of the volume ("+rule.Code+"): "+rule.Message)
}
