package server

import (
	"sync"

	"a3s.dev/box/agent/http2"
)

// Broken is the server of a guest that cannot be what it should. Whoever asks anything of it is told why, once, and then it ends.
func Broken(cause error, end func()) *http2.Server {
	var once sync.Once
	return &http2.Server{Handler: func(t *http2.Stream) {
		writeError(t, cause)
		once.Do(func() { endAfter(t, timeToRead, end) })
	}}
}
