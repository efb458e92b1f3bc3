package server

import (
	"errors"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/files"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/output"
	"a3s.dev/box/agent/stage"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

// Error is a refusal of docs/development/guest-protocol.md.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

// errBusy is more set-up at once than a host has reason to ask for.
var errBusy = &Error{"conflict", "there is too much to set up already"}

// codeFrozen is of a box that starts nothing until it is thawed: a host may ask again.
const codeFrozen = "frozen"

// codeNetworks is of networks that a launch spec does not let the host choose.
const codeNetworks = "networks-not-permitted"

// codeContainer is of a container that a launch spec does not permit.
const codeContainer = "container-not-permitted"

// codeSocket is of a socket in the box that is not there, or that nobody listens on.
const codeSocket = "socket-refused"

// statuses are the HTTP statuses of the codes.
var statuses = map[string]int{
	"invalid":                  400,
	"too-large":                413,
	"not-found":                404,
	"conflict":                 409,
	codeFrozen:                 409,
	"spec-missing":             409,
	"protocol-unsupported":     426,
	"offset-gone":              416,
	codeSocket:                 409,
	"host-not-permitted":       403,
	codeNetworks:               403,
	codeContainer:              403,
	"launch-spec-malformed":    400,
	"launch-spec-mismatch":     403,
	"verity-mismatch":          500,
	"changes-too-small":        500,
	"tee-unavailable":          500,
	"volume-empty":             409,
	"volume-refused":           403,
	"volume-damaged":           500,
	"volume-key-mismatch":      403,
	"volume-key-refused":       403,
	"volume-key-not-fetched":   500,
	"volume-rolled-back":       500,
	files.CodeInvalid:          400,
	files.CodeMissing:          404,
	files.CodeReadonly:         403,
	files.CodeFull:             507,
	stage.CommandNotFound:      422,
	stage.CommandNotExecutable: 422,
	stage.UserNotFound:         422,
	stage.CwdInvalid:           422,
	stage.SetupFailed:          500,
}

// rules are the fields of the launch spec that decide a refusal, by its code.
var rules = map[string]string{
	"host-not-permitted":     "hostMay",
	codeNetworks:             "hostNetworks",
	"verity-mismatch":        "rootfs.layers",
	"changes-too-small":      "rootfs.changesBytes",
	"volume-empty":           "volumes",
	"volume-refused":         "volumes",
	"volume-damaged":         "volumes",
	"volume-key-mismatch":    "volumes",
	"volume-key-refused":     "volumes",
	"volume-key-not-fetched": "volumes",
	"volume-rolled-back":     "volumes",
}

// conflicts are the states that a request does not fit.
var conflicts = []error{
	box.ErrSpecTaken, box.ErrStarted, box.ErrIDTaken, box.ErrTooMany, process.ErrNotRunning, box.ErrRunning,
	process.ErrNoTerminal, box.ErrStopping, process.ErrInputTaken, process.ErrNoInput,
	box.ErrTooManyTops, box.ErrTooManyCopies, box.ErrTooManySockets, cgroup.ErrMemoryInUse,
	box.ErrPaused, box.ErrNotPaused, box.ErrPrepared, cgroup.ErrNotFrozen, box.ErrNetwork,
	box.ErrPod, box.ErrNotPod, box.ErrTooManyContainers,
}

// codeOf returns the code of an error; an unforeseen error is a failed set-up.
func codeOf(err error) string {
	var own *Error
	var refusal *stage.Refusal
	var invalid *strictjson.Error
	var cwd *rootfs.CwdError
	var memory *box.MemoryError
	var copied *files.Error
	var socket *box.SocketError
	var full *rootfs.FullError
	var networks *launchspec.HostNetworksError
	var container *launchspec.ContainerError
	switch {
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &refusal):
		return refusal.Code
	case errors.As(err, &invalid):
		return "invalid"
	case errors.As(err, &cwd):
		return stage.CwdInvalid
	case errors.As(err, &copied):
		return copied.Code
	case errors.As(err, &full):
		return files.CodeFull
	case errors.As(err, &socket):
		return codeSocket
	case errors.As(err, &networks):
		return codeNetworks
	case errors.As(err, &container):
		return codeContainer
	case errors.As(err, &memory):
		return "conflict"
	case errors.Is(err, stream.ErrTooLarge):
		return "too-large"
	case errors.Is(err, box.ErrNotFound), errors.Is(err, box.ErrNoContainer):
		return "not-found"
	case errors.Is(err, box.ErrSpecMissing):
		return "spec-missing"
	case errors.Is(err, box.ErrFrozen):
		return codeFrozen
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

func writeError(t stream.Stream, err error) {
	code := codeOf(err)
	if code == codeFrozen && asked(t) < minFrozen {
		code = "conflict"
	}
	status, known := statuses[code]
	if !known {
		code, status = stage.SetupFailed, 500
	}
	writeJSON(t, reply{status, appendError(nil, code, err.Error(), ruleOf(code, err))})
}

func ruleOf(code string, err error) string {
	var container *launchspec.ContainerError
	if errors.As(err, &container) {
		return container.Rule
	}
	return rules[code]
}

func writeJSON(t stream.Stream, r reply) {
	kind := "application/json"
	if len(r.document) == 0 {
		kind = ""
	}
	t.Answer(r.status, kind, r.document)
}
