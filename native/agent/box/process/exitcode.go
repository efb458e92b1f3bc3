package process

import (
	"errors"

	"a3s.dev/box/agent/stage"
)

// Codes of a main process that was ended because its secrets did not come: not in time; not in time
// from the broker; or never, since the broker refused one or the box cannot use it.
const (
	SecretsDeadline   = "secrets-deadline"
	SecretsNotFetched = "secrets-not-fetched"
	SecretRefused     = "secret-refused"
)

// Codes of a main process that was ended because the broker did not confirm the generation of a
// sealed volume: the disk is older or another one; or the broker did not, or not in time.
const (
	VolumeRolledBack = "volume-rolled-back"
	VolumeNotCounted = "volume-not-counted"
)

// exitCodes are the exit codes of main processes that had waited and could not be started, by the
// reason: as Docker has them, 127 for a command that does not exist and 126 for one that cannot be
// executed. 125 is Docker's code for a failure of Docker itself before the command: here, the
// secrets did not come.
//
// The host has the same codes for boxes whose start it was refused:
// src/boxes/supervise/exit-code.ts, and the column exitCode of src/error-rows.ts.
// test/vectors/guest-errors.json has both.
var exitCodes = map[string]int{
	stage.CommandNotFound:      127,
	stage.CommandNotExecutable: 126,
	SecretsDeadline:            125,
	SecretsNotFetched:          125,
	SecretRefused:              125,
	VolumeRolledBack:           125,
	VolumeNotCounted:           125,
}

// exitUnknown is Docker's exit code of a container whose start failed for any other reason
// (exitUnknown in moby's daemon/start.go). The default of the host, UNKNOWN in
// src/boxes/supervise/exit-code.ts, is the same: a box must not have another exit code because its
// secrets came first.
const exitUnknown = 128

// exitCode returns the exit code of a process that was not started for this reason.
func exitCode(reason *ExitError) int {
	if code, known := exitCodes[reason.Code]; known {
		return code
	}
	return exitUnknown
}

// ExitErrorOf returns the reason for which a process could not be started.
func ExitErrorOf(err error) *ExitError {
	var refusal *stage.Refusal
	if errors.As(err, &refusal) {
		return &ExitError{refusal.Code, refusal.Message}
	}
	return &ExitError{stage.SetupFailed, err.Error()}
}
