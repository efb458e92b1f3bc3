package server

import (
	"slices"
	"strings"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/signals"
	"a3s.dev/box/agent/strictjson"
)

// guests are the kinds of guest that have a route. The zero value is none.
type guests int

const (
	plainGuests guests = iota + 1
	confidentialGuests
	allGuests
)

// has says whether a guest has what only some have.
func (g guests) has(confidential bool) bool {
	return g == allGuests || g == confidentialGuests && confidential || g == plainGuests && !confidential
}

// access is the permission that the launch spec of a confidential guest must give the host; the
// host of a plain guest may do everything. The zero value permits nothing.
type access func(spec *launchspec.Spec, id string, body []byte) error

// free needs no permission: the host knows the answer already, or the route ends the box, which the
// host can do in other ways.
func free(*launchspec.Spec, string, []byte) error { return nil }

// may needs any one of these permissions.
func may(permissions ...string) access {
	return func(spec *launchspec.Spec, _ string, _ []byte) error { return permitted(spec, permissions...) }
}

// chooseNetworks needs a launch spec with networks of the host's choice; which ones, their handler
// checks.
func chooseNetworks(spec *launchspec.Spec, _ string, _ []byte) error {
	if spec == nil {
		return box.ErrSpecMissing
	}
	return spec.MayChooseNetworks()
}

// ofMain needs any one of these permissions for the main process, and for every other the one to
// start it.
func ofMain(permissions ...string) access {
	return func(spec *launchspec.Spec, id string, _ []byte) error {
		if id == box.MainID {
			return permitted(spec, permissions...)
		}
		return permitted(spec, launchspec.MayExec)
	}
}

// freeOfMain needs a permission for every process but the main one.
func freeOfMain(spec *launchspec.Spec, id string, _ []byte) error {
	if id == box.MainID {
		return nil
	}
	return permitted(spec, launchspec.MayExec)
}

// maySignal lets a host end the box by its stop signal or by SIGKILL, whatever the spec permits.
func maySignal(spec *launchspec.Spec, id string, body []byte) error {
	if id != box.MainID {
		return permitted(spec, launchspec.MayExec)
	}
	if spec == nil {
		return box.ErrSpecMissing
	}
	var request signalRequest
	if err := strictjson.Decode(body, &request); err != nil {
		return err
	}
	asked, err := parseSignal(request.Signal)
	if err != nil {
		return err
	}
	// By their numbers: a signal has several names.
	for _, name := range []string{"SIGKILL", spec.StopSignal} {
		if admitted, ok := signals.Parse(name); ok && asked == admitted {
			return nil
		}
	}
	return permitted(spec, launchspec.MaySignals)
}

func permitted(spec *launchspec.Spec, permissions ...string) error {
	if spec == nil {
		return box.ErrSpecMissing
	}
	for _, permission := range permissions {
		if slices.Contains(spec.HostMay, permission) {
			return nil
		}
	}
	return &Error{"host-not-permitted", "the launch spec does not permit the host " + strings.Join(permissions, " or ")}
}

// errDenied is a route that somebody forgot to say this of.
var errDenied = &Error{"host-not-permitted", "nobody is permitted this"}

// admit decides on a request whose body has come, or has none.
func (s *Server) admit(r *route, id string, body []byte) error {
	if r.may == nil {
		return errDenied
	}
	if s.Confidential == nil {
		return nil
	}
	return r.may(s.Confidential.Spec(), id, body)
}
