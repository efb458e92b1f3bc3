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
}

func (e *Error) Error() string { return e.Message }

// Refusals of any request.
var (
	ErrNotFound = &Error{"not-found", "there is no such path", http.StatusNotFound}
	ErrMethod   = &Error{"method-not-allowed", "the path has another method", http.StatusMethodNotAllowed}
	ErrTooLarge = &Error{"too-large", "the body of the request is too large", http.StatusRequestEntityTooLarge}
	ErrTimeout  = &Error{"timeout", "the body of the request did not arrive in time", http.StatusRequestTimeout}
	ErrBody     = &Error{"malformed", "the body of the request did not arrive whole", http.StatusBadRequest}
	ErrTooMany  = &Error{"rate-limited", "too much is asked for; ask again later", http.StatusTooManyRequests}
	// ErrProcessor does not say why: what the processor says is between it and the guest.
	ErrProcessor = &Error{"processor-unavailable", "the secure processor does not answer", http.StatusServiceUnavailable}
	ErrInternal  = &Error{"internal", "the agent failed", http.StatusInternalServerError}
)

// Malformed is a body that is not the document that it should be.
func Malformed(message string) *Error { return &Error{"malformed", message, http.StatusBadRequest} }

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
	Write(w, e.Status, map[string]any{"error": map[string]string{"code": e.Code, "message": e.Message}})
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
