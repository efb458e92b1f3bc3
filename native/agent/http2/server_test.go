package http2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/stream/streamtest"
)

func TestBodiesArriveAsTheyWereSent(t *testing.T) { streamtest.Bodies(t, goClient) }

func TestAServerKnowsWhenItsClientHasClosedTheConnection(t *testing.T) {
	streamtest.Closes(t, func(t *testing.T, handler stream.Handler) *http.Client {
		return streamtest.Client(t, listen(t, handler))
	})
}

func TestAResetIsSeen(t *testing.T) {
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
	if status, _ := streamtest.Send(t, client, "GET", "/nothing", nil); status != 404 {
		t.Errorf("got %d", status)
	}
}

// A body that nobody reads holds up no other.
func TestAStalledBodyHoldsUpNoOther(t *testing.T) {
	client := goClient(t)
	data := streamtest.Large()
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
	if status, got := streamtest.Send(t, client, "POST", "/stream", bytes.NewReader(data)); status != 200 || !bytes.Equal(got, data) {
		t.Errorf("got %d, %d bytes", status, len(got))
	}
	cancel()
	stalled.Wait()
}
