package process

import (
	"errors"

	"a3s.dev/box/agent/stage"
)

// SecretsDeadline is the code of a main process that was given up, since its secrets did not come in time.
const SecretsDeadline = "secrets-deadline"

// exitCodes are those of processes that could not be started. The host's counterpart is the column exitCode of
// src/errors.ts; test/vectors/guest-errors.json holds both.
var exitCodes = map[string]int{
	stage.CommandNotFound:      127,
	stage.CommandNotExecutable: 126,
	SecretsDeadline:            125,
}

// exitUnknown is Docker's code of a container whose start failed for any other reason (exitUnknown in moby's daemon/start.go).
// The host's counterpart is src/boxes/start/exit-code.ts.
const exitUnknown = 128

// exitCode is the exit code of a process that was not started for this reason.
func exitCode(reason *ExitError) int {
	if code, known := exitCodes[reason.Code]; known {
		return code
	}
	return exitUnknown
}

// ExitErrorOf says why a process could not be started.
func ExitErrorOf(err error) *ExitError {
	var refusal *stage.Refusal
	if errors.As(err, &refusal) {
		return &ExitError{refusal.Code, refusal.Message}
	}
	return &ExitError{stage.SetupFailed, err.Error()}
}
