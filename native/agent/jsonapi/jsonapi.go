// Package jsonapi has the common parts of the guest's HTTP servers: bodies that are bounded, and
// answers and refusals in JSON.
package jsonapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
)

// Error is a refusal with a code that stays. Its message quotes nothing that the peer has sent.
type Error struct {
	Code    string
	Message string
	Status  int
	// Rule is the field of the launch spec that decided; empty where none did.
	Rule string
}

func (e *Error) Error() string { return e.Message }

// Refusals of any request.
var (
	ErrNotFound = &Error{Code: "not-found", Message: "there is no such path", Status: http.StatusNotFound}
	ErrMethod   = &Error{Code: "method-not-allowed", Message: "the path has another method", Status: http.StatusMethodNotAllowed}
	ErrTooLarge = &Error{Code: "too-large", Message: "the body of the request is too large", Status: http.StatusRequestEntityTooLarge}
	ErrTimeout  = &Error{Code: "timeout", Message: "the body of the request did not arrive in time", Status: http.StatusRequestTimeout}
	ErrBody     = &Error{Code: "malformed", Message: "the body of the request did not arrive whole", Status: http.StatusBadRequest}
	ErrTooMany  = &Error{Code: "rate-limited", Message: "too much is asked for; ask again later", Status: http.StatusTooManyRequests}
	// ErrProcessor does not say why: what the processor says is between it and the guest.
	ErrProcessor = &Error{Code: "processor-unavailable", Message: "the secure processor does not answer", Status: http.StatusServiceUnavailable}
	ErrInternal  = &Error{Code: "internal", Message: "the agent failed", Status: http.StatusInternalServerError}
)

// Malformed is a body that is not the document that it should be.
func Malformed(message string) *Error {
	return &Error{Code: "malformed", Message: message, Status: http.StatusBadRequest}
}

// Read reads a body of at most limit bytes into one place, which the caller can overwrite: that is
// answered in any case.
func Read(r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, ErrTooLarge
	}
	body := make([]byte, limit+1)
	n, err := io.ReadFull(r.Body, body)
	switch {
	case err == nil:
		return body, ErrTooLarge
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return body[:n], nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return body, ErrTimeout
	default:
		return body, ErrBody
	}
}

// Refuse answers with an error.
func Refuse(w http.ResponseWriter, e *Error) {
	if e.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	refusal := map[string]string{"code": e.Code, "message": e.Message}
	if e.Rule != "" {
		refusal["rule"] = e.Rule
	}
	Write(w, e.Status, map[string]any{"error": refusal})
}

// Write answers with a document. It reports no error when the peer has gone.
func Write(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	// The document may hold a value that was unsealed.
	clear(body)
}
