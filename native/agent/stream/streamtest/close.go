package streamtest

import (
	"net/http"
	"sync/atomic"
	"testing"

	"a3s.dev/box/agent/stream"
)

// Closes tests that a server knows when its client has closed the connection. No other event of the
// connection is taken for that, such as the ends of other streams.
func Closes(t *testing.T, client func(t *testing.T, handler stream.Handler) *http.Client) {
	var closed atomic.Bool
	early := make(chan bool, 1)
	c := client(t, func(s stream.Stream) {
		s.Answer(200, "", []byte("reason"))
		if s.Head().Path == "/" {
			go func() {
				s.AwaitClose()
				early <- !closed.Load()
			}()
		}
	})
	for _, path := range []string{"/", "/other", "/other", "/other"} {
		if status, text := Send(t, c, "GET", path, nil); status != 200 || string(text) != "reason" {
			t.Errorf("got %d %s", status, text)
		}
	}
	closed.Store(true)
	c.CloseIdleConnections()
	if <-early {
		t.Error("it went on before the connection was closed")
	}
}
