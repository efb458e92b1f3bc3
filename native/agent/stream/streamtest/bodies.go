package streamtest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Bodies tests what a server that serves Echo does with the bodies of requests; client makes one
// for each test.
func Bodies(t *testing.T, client func(t *testing.T) *http.Client) {
	t.Run("come back as they went", func(t *testing.T) { comeBack(t, client(t)) })
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, client(t)) })
	t.Run("are bounded", func(t *testing.T) { bounded(t, client(t)) })
	t.Run("an answer may come before the request is complete", func(t *testing.T) { early(t, client(t)) })
}

func comeBack(t *testing.T, client *http.Client) {
	data := Large()
	for path, body := range map[string][]byte{
		"/whole":  data[:1<<20],
		"/stream": data,
		"/each":   data[:3<<20],
	} {
		for _, part := range [][]byte{body, body[:1], nil} {
			status, got := Send(t, client, "POST", path, bytes.NewReader(part))
			if status != 200 || !bytes.Equal(got, part) {
				t.Errorf("%s: %d, %d of %d bytes", path, status, len(got), len(part))
			}
		}
	}
}

func manyAtOnce(t *testing.T, client *http.Client) {
	data := Large()[:1<<20]
	var all sync.WaitGroup
	for index := range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			part := data[:index*5000]
			path := []string{"/whole", "/stream"}[index%2]
			if status, got := Send(t, client, "POST", path, bytes.NewReader(part)); status != 200 || !bytes.Equal(got, part) {
				t.Errorf("%d: %d, %d bytes", index, status, len(got))
			}
		}()
	}
	all.Wait()
}

func bounded(t *testing.T, client *http.Client) {
	if status, _ := Send(t, client, "POST", "/whole", bytes.NewReader(Large()[:1<<20+1])); status != 413 {
		t.Errorf("got %d", status)
	}
	// The connection is as good as before.
	if status, got := Send(t, client, "POST", "/whole", strings.NewReader("x")); status != 200 || string(got) != "x" {
		t.Errorf("got %d %s", status, got)
	}
}

func early(t *testing.T, client *http.Client) {
	pipe, body := io.Pipe()
	defer body.Close()
	if status, _ := Send(t, client, "POST", "/early", pipe); status != 204 {
		t.Errorf("got %d", status)
	}
}
