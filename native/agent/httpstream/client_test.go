package httpstream

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/stream/streamtest"
)

// serve serves on a socket, and answers its path.
func serve(t *testing.T, handler stream.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := (&Server{Handler: handler}).HTTP()
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return path
}

func client(t *testing.T, handler stream.Handler) *http.Client {
	t.Helper()
	return streamtest.Client(t, serve(t, handler))
}
