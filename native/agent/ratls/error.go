package ratls

import (
	"encoding/json"
	"errors"
	"net/http"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/strictjson"
)

// Error is a refusal; openapi.json lists its codes. Its message tells nothing of what the peer has sent.
type Error struct {
	Code    string
	Message string
	status  int
}

func (e *Error) Error() string { return e.Message }

var (
	errNotFound     = &Error{"not-found", "there is no such path", http.StatusNotFound}
	errMethod       = &Error{"method-not-allowed", "the path has another method", http.StatusMethodNotAllowed}
	errTooLarge     = &Error{"too-large", "the body of the request is too large", http.StatusRequestEntityTooLarge}
	errTimeout      = &Error{"timeout", "the body of the request did not arrive in time", http.StatusRequestTimeout}
	errBody         = &Error{"malformed", "the body of the request did not arrive whole", http.StatusBadRequest}
	errNonce        = &Error{"nonce-length", "nonce must be 32 to 64 bytes", http.StatusBadRequest}
	errTooMany      = &Error{"too-many-requests", "too much is asked for; ask again later", http.StatusTooManyRequests}
	errProcessor    = &Error{"processor-unavailable", "the secure processor gave no report", http.StatusServiceUnavailable}
	errNotAttested  = &Error{"not-attested", "the guest was not asked for evidence over this connection yet", http.StatusForbidden}
	errKey          = &Error{"injector-key-malformed", "key must be the DER SubjectPublicKeyInfo of an Ed25519, P-256 or P-384 key", http.StatusBadRequest}
	errNoKey        = &Error{"injector-key-missing", "key and signature must both be there, unless anybody may inject the secret", http.StatusBadRequest}
	errSignature    = &Error{"injector-signature-invalid", "signature is not that of the key over this injection on this connection", http.StatusForbidden}
	errNotPermitted = &Error{"injector-not-permitted", "the launch spec does not name this key for the secret", http.StatusForbidden}
	errUnknown      = &Error{"no-such-secret", secrets.ErrUnknown.Error(), http.StatusNotFound}
	errDelivered    = &Error{"secret-already-delivered", secrets.ErrDelivered.Error(), http.StatusConflict}
	errExpired      = &Error{"secrets-expired", secrets.ErrExpired.Error(), http.StatusConflict}
	errValueSize    = &Error{"too-large", secrets.ErrTooLarge.Error(), http.StatusRequestEntityTooLarge}
	errValueNUL     = &Error{"value-invalid", secrets.ErrNUL.Error(), http.StatusBadRequest}
	errInternal     = &Error{"internal", "the agent failed", http.StatusInternalServerError}
)

// refusals are the errors of other packages.
var refusals = []struct {
	err     error
	refusal *Error
}{
	{evidence.ErrTooMany, errTooMany},
	{secrets.ErrUnknown, errUnknown},
	{secrets.ErrDelivered, errDelivered},
	{secrets.ErrExpired, errExpired},
	{secrets.ErrTooLarge, errValueSize},
	{secrets.ErrNUL, errValueNUL},
}

func refusalOf(err error) *Error {
	var own *Error
	var malformed *strictjson.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &malformed):
		// What it says is where, and what should be there; an unknown key alone is quoted, which is no secret's place.
		return &Error{"malformed", malformed.Error(), http.StatusBadRequest}
	}
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return known.refusal
		}
	}
	return errInternal
}

func writeError(w http.ResponseWriter, err error) {
	refusal := refusalOf(err)
	if refusal.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, refusal.status, map[string]any{"error": map[string]string{"code": refusal.Code, "message": refusal.Message}})
}

// writeJSON answers with a document; that the peer has gone meanwhile is not told to anybody.
func writeJSON(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
