package server

import (
	"sync/atomic"

	"a3s.dev/box/agent/stream"
)

// Broken is the handler of a guest that failed to start. It answers the first request with the
// cause, and ends the guest.
func Broken(cause error, end func()) stream.Handler {
	var answered atomic.Bool
	return func(t stream.Stream) {
		if answered.Swap(true) {
			t.Reset(stream.InternalError)
			return
		}
		writeError(t, cause)
		endAfter(t.AwaitClose, end)
	}
}
