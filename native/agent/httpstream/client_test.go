package httpstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"a3s.dev/box/agent/stream"
)

// echo answers what was sent: as a whole on /whole, as it comes on /stream, piece by piece on /each, and nothing on /never.
func echo(s stream.Stream) {
	switch s.Head().Path {
	case "/whole":
		s.Collect(1<<20, func(body []byte, err error) {
			if err != nil {
				s.Answer(413, "", nil)
				return
			}
			s.Answer(200, "text/plain", body)
		})
	case "/each":
		s.Begin(200, "")
		pieces := make(chan []byte, 1024)
		s.Each(func(piece []byte, last bool) {
			pieces <- append([]byte{}, piece...)
			if last {
				close(pieces)
			}
		})
		go func() {
			for piece := range pieces {
				if s.Write(append(make([]byte, stream.Room), piece...), false) != nil {
					return
				}
			}
			_ = s.Write(make([]byte, stream.Room), true)
		}()
	case "/stream":
		s.Begin(200, "")
		go func() {
			buffer := make([]byte, stream.Room+32<<10)
			for {
				n, err := s.Read(buffer[stream.Room:])
				if err != nil && !errors.Is(err, io.EOF) {
					return
				}
				if s.Write(buffer[:stream.Room+n], err != nil) != nil || err != nil {
					return
				}
			}
		}()
	case "/never":
	case "/early":
		s.Answer(204, "", nil)
	case "/broken":
		s.Begin(200, "")
		s.Reset(stream.InternalError)
	default:
		s.Answer(404, "", nil)
	}
}

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
	return clientOf(t, serve(t, handler))
}

func clientOf(t *testing.T, path string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func newRequestTo(t *testing.T, ctx context.Context, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "http://guest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func send(t *testing.T, client *http.Client, method, path string, body io.Reader) (int, []byte) {
	t.Helper()
	response, err := client.Do(newRequestTo(t, t.Context(), method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}

// large is more than any window of either side.
func large() []byte {
	data := make([]byte, 9<<20)
	state := sha256.Sum256(nil)
	for at := 0; at < len(data); at += copy(data[at:], state[:]) {
		state = sha256.Sum256(state[:])
	}
	return data
}
