package control

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/http2"
	"a3s.dev/box/agent/httpstream"
	"a3s.dev/box/agent/stream"
)

// attach is a host that attaches to the port, as its next client.
func attach(t *testing.T, host *os.File) (c *http.Client, detach func()) {
	t.Helper()
	conn, err := net.FileConn(host)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}, func() { _ = conn.Close() }
}

// drain drops what was meant for a host that is gone.
func drain(t *testing.T, host *os.File) {
	t.Helper()
	raw, err := host.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64<<10)
	_ = raw.Control(func(fd uintptr) {
		for {
			if n, err := syscall.Read(int(fd), buffer); n <= 0 || err != nil {
				return
			}
		}
	})
}

// limit is how long a host waits for an answer that has to come: the race detector on a busy
// machine takes seconds for it.
const limit = 30 * time.Second

// Both servers go on with the next host after one that broke off, wherever in a frame that was.
func TestTheNextHostIsServed(t *testing.T) {
	handler := func(s stream.Stream) {
		switch s.Head().Path {
		case "/hello":
			s.Answer(200, "text/plain", []byte("hello"))
		default:
			s.Begin(200, "")
		}
	}
	for name, serve := range map[string]func(net.Listener) error{
		"http2":      (&http2.Server{Handler: handler}).Serve,
		"httpstream": (&httpstream.Server{Handler: handler}).HTTP().Serve,
	} {
		t.Run(name, func(t *testing.T) {
			l, host := port(t)
			go func() { _ = serve(l) }()
			ask := func(c *http.Client, limit time.Duration) bool {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				request, err := http.NewRequestWithContext(ctx, "GET", "http://guest/hello", nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := c.Do(request)
				if err != nil {
					return false
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				return err == nil && string(text) == "hello"
			}
			first, detach := attach(t, host)
			if !ask(first, limit) {
				t.Fatal("the first host is not served")
			}
			body, more := io.Pipe()
			defer more.Close()
			response, err := first.Post("http://guest/open", "", body)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			detach()
			// The header of a frame, and half of what it announces.
			say(t, host, "\x00\x00\x08\x00\x00\x00\x00\x00\x03half")
			for attempts := 1; ; attempts++ {
				drain(t, host)
				next, detach := attach(t, host)
				// An answer may get lost with the host before: the first attempts are short ones.
				served := ask(next, time.Duration(attempts)*time.Second)
				detach()
				if served {
					return
				}
				if attempts == 10 {
					t.Fatal("the next host is not served")
				}
			}
		})
	}
}
