package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/output"
	"a3s.dev/box/agent/stage"
	"a3s.dev/box/agent/strictjson"
)

// Error is a refusal of docs/guest-protocol.md.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

// statuses are the HTTP statuses of the codes.
var statuses = map[string]int{
	"invalid":                  http.StatusBadRequest,
	"too-large":                http.StatusRequestEntityTooLarge,
	"not-found":                http.StatusNotFound,
	"conflict":                 http.StatusConflict,
	"spec-missing":             http.StatusConflict,
	"protocol-unsupported":     http.StatusUpgradeRequired,
	"offset-gone":              http.StatusRequestedRangeNotSatisfiable,
	stage.CommandNotFound:      http.StatusUnprocessableEntity,
	stage.CommandNotExecutable: http.StatusUnprocessableEntity,
	stage.UserNotFound:         http.StatusUnprocessableEntity,
	stage.CwdInvalid:           http.StatusUnprocessableEntity,
	stage.SetupFailed:          http.StatusInternalServerError,
}

// conflicts are the states that a request does not fit.
var conflicts = []error{
	box.ErrSpecTaken, box.ErrStarted, box.ErrIDTaken, box.ErrTooMany, box.ErrNotRunning, box.ErrRunning,
	box.ErrNoTerminal, box.ErrStopping, box.ErrInputTaken, box.ErrNoInput,
}

// codeOf gives an error its code; what nobody foresaw is a set-up that failed.
func codeOf(err error) string {
	var own *Error
	var refusal *stage.Refusal
	var invalid *strictjson.Error
	var cwd *box.CwdError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &refusal):
		return refusal.Code
	case errors.As(err, &invalid):
		return "invalid"
	case errors.As(err, &cwd):
		return stage.CwdInvalid
	case errors.As(err, &tooLarge):
		return "too-large"
	case errors.Is(err, box.ErrNotFound):
		return "not-found"
	case errors.Is(err, box.ErrSpecMissing):
		return "spec-missing"
	case errors.Is(err, output.ErrOffset):
		return "offset-gone"
	}
	for _, conflict := range conflicts {
		if errors.Is(err, conflict) {
			return "conflict"
		}
	}
	return stage.SetupFailed
}

func writeError(w http.ResponseWriter, err error) {
	code := codeOf(err)
	status, known := statuses[code]
	if !known {
		code, status = stage.SetupFailed, http.StatusInternalServerError
	}
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, status, map[string]body{"error": {code, err.Error()}})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		// Only a bug makes our own types unencodable; the stream is reset.
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A host that is gone has no use for the answer.
	_, _ = w.Write(text)
}
