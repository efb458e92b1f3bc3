package server

import (
	"sync/atomic"

	"a3s.dev/box/agent/http2"
)

// Broken is the server of a guest that cannot be what it should. The first request is told why, and then the guest ends.
func Broken(cause error, end func()) *http2.Server {
	var told atomic.Bool
	return &http2.Server{Handler: func(t *http2.Stream) {
		if told.Swap(true) {
			t.Reset(http2.InternalError)
			return
		}
		writeError(t, cause)
		endAfter(t, end)
	}}
}
