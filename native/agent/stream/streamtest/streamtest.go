// Package streamtest tests servers of streams: what every one of them has to do, and a client that
// is Go's own.
package streamtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"a3s.dev/box/agent/stream"
)

// Echo answers with the request's body: as a whole on /whole, as it comes on /stream, piece by
// piece on /each. It never answers on /never.
func Echo(s stream.Stream) {
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
		echoPieces(s)
	case "/stream":
		s.Begin(200, "")
		go echoBytes(s)
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

func echoPieces(s stream.Stream) {
	pieces := make(chan []byte, 1024)
	s.Each(func(piece []byte, last bool) {
		pieces <- append([]byte{}, piece...)
		if last {
			close(pieces)
		}
	})
	s.OnEnd(func() {})
	go func() {
		for piece := range pieces {
			if s.Write(append(make([]byte, stream.Room), piece...), false) != nil {
				return
			}
		}
		_ = s.Write(make([]byte, stream.Room), true)
	}()
}

func echoBytes(s stream.Stream) {
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
}

// Client speaks HTTP/2 without TLS to a socket.
func Client(t testing.TB, path string) *http.Client {
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

// NewRequest makes a request to the server that a Client is connected to.
func NewRequest(t testing.TB, ctx context.Context, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "http://guest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// Send returns the status and the body of an answer.
func Send(t testing.TB, client *http.Client, method, path string, body io.Reader) (int, []byte) {
	t.Helper()
	response, err := client.Do(NewRequest(t, t.Context(), method, path, body))
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

// Large is more than any window of either side.
func Large() []byte {
	data := make([]byte, 9<<20)
	state := sha256.Sum256(nil)
	for at := 0; at < len(data); at += copy(data[at:], state[:]) {
		state = sha256.Sum256(state[:])
	}
	return data
}
