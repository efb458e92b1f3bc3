package server

import (
	"sync/atomic"

	"a3s.dev/box/agent/stream"
)

// Broken is the handler of a guest that cannot be what it should. The first request is told why, and then the guest ends.
func Broken(cause error, end func()) stream.Handler {
	var told atomic.Bool
	return func(t stream.Stream) {
		if told.Swap(true) {
			t.Reset(stream.InternalError)
			return
		}
		writeError(t, cause)
		endAfter(t, end)
	}
}
