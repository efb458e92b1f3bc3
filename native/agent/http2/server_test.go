package http2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func send(t *testing.T, client *http.Client, method, path string, body io.Reader) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://guest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
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

func TestBodiesComeBackAsTheyWent(t *testing.T) {
	client := goClient(t)
	data := large()
	for path, body := range map[string][]byte{
		"/whole":  data[:1<<20],
		"/stream": data,
		"/each":   data[:3<<20],
	} {
		for _, part := range [][]byte{body, body[:1], nil} {
			status, got := send(t, client, "POST", path, bytes.NewReader(part))
			if status != 200 || !bytes.Equal(got, part) {
				t.Errorf("%s: %d, %d of %d bytes", path, status, len(got), len(part))
			}
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	client := goClient(t)
	data := large()[:1<<20]
	var all sync.WaitGroup
	for index := range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			part := data[:index*5000]
			path := []string{"/whole", "/stream"}[index%2]
			if status, got := send(t, client, "POST", path, bytes.NewReader(part)); status != 200 || !bytes.Equal(got, part) {
				t.Errorf("%d: %d, %d bytes", index, status, len(got))
			}
		}()
	}
	all.Wait()
}

func TestABodyIsBounded(t *testing.T) {
	client := goClient(t)
	if status, _ := send(t, client, "POST", "/whole", bytes.NewReader(large()[:1<<20+1])); status != 413 {
		t.Errorf("got %d", status)
	}
	// The connection is as good as before.
	if status, got := send(t, client, "POST", "/whole", strings.NewReader("x")); status != 200 || string(got) != "x" {
		t.Errorf("got %d %s", status, got)
	}
}

func TestAnAnswerMayComeBeforeTheRequestIsComplete(t *testing.T) {
	client := goClient(t)
	pipe, body := io.Pipe()
	defer body.Close()
	if status, _ := send(t, client, "POST", "/early", pipe); status != 204 {
		t.Errorf("got %d", status)
	}
}

func TestResets(t *testing.T) {
	client := goClient(t)
	response, err := client.Get("http://guest/broken")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("a reset was not seen")
	}
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", "http://guest/never", nil)
	if err != nil {
		t.Fatal(err)
	}
	go cancel()
	if _, err := client.Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if status, _ := send(t, client, "GET", "/nothing", nil); status != 404 {
		t.Errorf("got %d", status)
	}
}

// A body that nobody reads holds up no other.
func TestAStalledBodyHoldsUpNoOther(t *testing.T) {
	client := goClient(t)
	data := large()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stalled sync.WaitGroup
	for range 64 {
		request, err := http.NewRequestWithContext(ctx, "POST", "http://guest/never", bytes.NewReader(data[:300_000]))
		if err != nil {
			t.Fatal(err)
		}
		stalled.Add(1)
		go func() {
			defer stalled.Done()
			if response, err := client.Do(request); err == nil {
				_ = response.Body.Close()
			}
		}()
	}
	if status, got := send(t, client, "POST", "/stream", bytes.NewReader(data)); status != 200 || !bytes.Equal(got, data) {
		t.Errorf("got %d, %d bytes", status, len(got))
	}
	cancel()
	stalled.Wait()
}
