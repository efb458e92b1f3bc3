package ratls

import (
	"errors"
	"net/http"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/strictjson"
)

// Refusals; openapi.json lists the codes.
var (
	errNonce           = &jsonapi.Error{Code: "nonce-length", Message: "nonce must be 32 to 64 bytes", Status: http.StatusBadRequest}
	errNotAttested     = &jsonapi.Error{Code: "not-attested", Message: "the guest was not challenged over this connection yet", Status: http.StatusForbidden}
	errKey             = &jsonapi.Error{Code: "injector-key-malformed", Message: "key must be the DER SubjectPublicKeyInfo of an Ed25519, P-256 or P-384 key", Status: http.StatusBadRequest}
	errNoKey           = &jsonapi.Error{Code: "injector-key-missing", Message: "key and signature must both be there, unless anybody may inject the secret", Status: http.StatusBadRequest}
	errSignature       = &jsonapi.Error{Code: "injector-signature-invalid", Message: "signature is not that of the key over this injection on this connection", Status: http.StatusForbidden}
	errNotPermitted    = &jsonapi.Error{Code: "injector-not-permitted", Message: "the launch spec does not name this key for the secret", Status: http.StatusForbidden, Rule: "secrets.injectors"}
	errUnknown         = &jsonapi.Error{Code: "no-such-secret", Message: secrets.ErrUnknown.Error(), Status: http.StatusNotFound, Rule: "secrets"}
	errDelivered       = &jsonapi.Error{Code: "secret-already-delivered", Message: secrets.ErrDelivered.Error(), Status: http.StatusConflict}
	errExpired         = &jsonapi.Error{Code: "secrets-closed", Message: secrets.ErrExpired.Error(), Status: http.StatusConflict}
	errValueSize       = &jsonapi.Error{Code: "secret-too-large", Message: secrets.ErrTooLarge.Error(), Status: http.StatusRequestEntityTooLarge}
	errSealerKey       = &jsonapi.Error{Code: "sealer-key-malformed", Message: errKey.Message, Status: http.StatusBadRequest}
	errNoSealerKey     = &jsonapi.Error{Code: "sealer-key-missing", Message: "key and signature must both be there", Status: http.StatusBadRequest}
	errSealerSignature = &jsonapi.Error{Code: "sealer-signature-invalid", Message: "signature is not that of the key over this call on this connection", Status: http.StatusForbidden}
	errNoSealer        = &jsonapi.Error{Code: "sealer-not-permitted", Message: "`sealers` of the launch spec does not name this key", Status: http.StatusForbidden, Rule: "sealers"}
	errValueNUL        = &jsonapi.Error{Code: "value-invalid", Message: secrets.ErrNUL.Error(), Status: http.StatusBadRequest}
)

// refusals are the errors of other packages.
var refusals = []struct {
	err     error
	refusal *jsonapi.Error
}{
	{evidence.ErrTooMany, jsonapi.ErrTooMany},
	{secrets.ErrUnknown, errUnknown},
	{secrets.ErrDelivered, errDelivered},
	{secrets.ErrExpired, errExpired},
	{secrets.ErrTooLarge, errValueSize},
	{secrets.ErrNUL, errValueNUL},
}

func refusalOf(err error) *jsonapi.Error {
	var own *jsonapi.Error
	var malformed *strictjson.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &malformed):
		return jsonapi.Malformed(malformed.Error())
	}
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return known.refusal
		}
	}
	return jsonapi.ErrInternal
}
