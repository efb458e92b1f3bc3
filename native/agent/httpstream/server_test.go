package httpstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/stream/streamtest"
)

func TestBodiesArriveAsTheyWereSent(t *testing.T) {
	streamtest.Bodies(t, func(t *testing.T) *http.Client { return client(t, streamtest.Echo) })
}

func TestAResetIsSeen(t *testing.T) {
	c := client(t, streamtest.Echo)
	response, err := c.Get("http://guest/broken")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("a reset was not seen")
	}
	if status, _ := streamtest.Send(t, c, "GET", "/nothing", nil); status != 404 {
		t.Errorf("got %d", status)
	}
}

// A write that waits for a client which reads nothing ends with its stream, from whichever side
// that comes.
func TestTheEndOfAStreamIsReportedOnce(t *testing.T) {
	for name, reset := range map[string]bool{"by the client": false, "by the guest": true} {
		ended, written := make(chan struct{}), make(chan error)
		streams := make(chan stream.Stream, 1)
		c := client(t, func(s stream.Stream) {
			s.OnEnd(func() { close(ended) })
			s.Begin(200, "")
			streams <- s
			go func() {
				for {
					if err := s.Write(make([]byte, stream.Room+1<<20), false); err != nil {
						written <- err
						return
					}
				}
			}()
		})
		ctx, cancel := context.WithCancel(t.Context())
		response, err := c.Do(streamtest.NewRequest(t, ctx, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		s := <-streams
		if reset {
			s.Reset(stream.InternalError)
		} else {
			cancel()
		}
		<-ended
		if err := <-written; !errors.Is(err, stream.ErrEnded) {
			t.Errorf("%s: got %v", name, err)
		}
		late := make(chan struct{})
		s.OnEnd(func() { close(late) })
		<-late
		cancel()
		_ = response.Body.Close()
	}
}

// A body that nobody reads holds up no other.
func TestAStalledBodyHoldsUpNoOther(t *testing.T) {
	c := client(t, streamtest.Echo)
	data := streamtest.Large()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stalled sync.WaitGroup
	for range 64 {
		request := streamtest.NewRequest(t, ctx, "POST", "/never", bytes.NewReader(data[:300_000]))
		stalled.Add(1)
		go func() {
			defer stalled.Done()
			if response, err := c.Do(request); err == nil {
				_ = response.Body.Close()
			}
		}()
	}
	if status, got := streamtest.Send(t, c, "POST", "/stream", bytes.NewReader(data)); status != 200 || !bytes.Equal(got, data) {
		t.Errorf("got %d, %d bytes", status, len(got))
	}
	cancel()
	stalled.Wait()
}

func TestHeadersAreAsTheyWereSentAndBounded(t *testing.T) {
	heads := make(chan stream.Request, 1)
	c := client(t, func(s stream.Stream) {
		heads <- *s.Head()
		s.Answer(200, "application/json", []byte("{}"))
	})
	request := streamtest.NewRequest(t, t.Context(), "PUT", "/a%2fb?c=d%20", nil)
	request.Header["A3s-Protocol"] = []string{"3", "4"}
	request.Header.Set("x", strings.Repeat("y", 20_000))
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	head := <-heads
	if head.Method != "PUT" || head.Path != "/a%2fb" || head.Query != "c=d%20" || len(head.Protocols) != 2 || head.HeaderBytes < 20_000 {
		t.Errorf("got %+v", head)
	}
	if len(response.Header["Date"]) != 0 || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %v", response.Header)
	}
	request = streamtest.NewRequest(t, t.Context(), "GET", "/", nil)
	request.Header.Set("x", strings.Repeat("y", maxHeaders+1024))
	if response, err := c.Do(request); err == nil {
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %d", response.StatusCode)
		}
	}
	if len(heads) != 0 {
		t.Error("headers without bound reach the handler")
	}
}

func TestWhatIsNotHTTP2IsNotAnswered(t *testing.T) {
	conn, err := net.Dial("unix", serve(t, streamtest.Echo))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /early HTTP/1.1\r\nHost: guest\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err == nil && bytes.Contains(answer, []byte("204")) {
		t.Errorf("got %q", answer)
	}
}

// slow is a connection whose writes take their time, and that knows what it has written.
type slow struct {
	net.Conn
	mu      sync.Mutex
	written []byte
}

func (c *slow) Write(data []byte) (int, error) {
	time.Sleep(200 * time.Millisecond)
	n, err := c.Conn.Write(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, data[:n]...)
	return n, err
}

type slowly struct {
	net.Listener
	accepted chan *slow
}

func (l slowly) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &slow{Conn: conn}
	l.accepted <- c
	return c, nil
}

func TestAnAnswerIsWrittenToASlowConnectionOnceItIsFlushed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := slowly{unix, make(chan *slow, 1)}
	flushed := make(chan []byte, 1)
	s := (&Server{Handler: func(s stream.Stream) {
		s.Answer(403, "", []byte("reason"))
		go func() {
			s.Flush()
			c := <-l.accepted
			c.mu.Lock()
			defer c.mu.Unlock()
			flushed <- bytes.Clone(c.written)
		}()
	}}).HTTP()
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	if status, text := streamtest.Send(t, streamtest.Client(t, path), "GET", "/", nil); status != 403 || string(text) != "reason" {
		t.Errorf("got %d %s", status, text)
	}
	if written := <-flushed; !bytes.Contains(written, []byte("reason")) {
		t.Errorf("it was flushed with %q written", written)
	}
}

func TestAServerKnowsWhenItsClientHasClosedTheConnection(t *testing.T) {
	streamtest.Closes(t, client)
}

func TestTheEndsOfStreamsAreCountedWhereverWritesCutThem(t *testing.T) {
	frames := []byte("\x00\x00\x02\x01\x04\x00\x00\x00\x01ab" + // headers
		"\x00\x00\x03\x00\x01\x00\x00\x00\x01\x03\x03\x03" + // data, the last
		"\x00\x00\x00\x04\x01\x00\x00\x00\x00" + // an acknowledgement of settings
		"\x00\x00\x00\x00\x01\x00\x00\x00\x03" + // data of no bytes, the last
		"\x00\x00\x01\x01\x05\x00\x00\x00\x05c" + // headers, the last
		"\x00\x00\x04\x03\x00\x00\x00\x00\x07\x00\x00\x00\x00") // a reset
	for size := 1; size <= len(frames); size++ {
		c := newConnection(nil)
		for piece := range slices.Chunk(frames, size) {
			c.count(piece)
		}
		if ended, _ := c.endsSoFar(); ended != 4 {
			t.Errorf("in pieces of %d: %d", size, ended)
		}
	}
}

func TestNobodyWaitsForTheEndOfAStreamOnAConnectionThatIsClosed(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c := newConnection(here)
	_ = c.Close()
	c.awaitEnd(0, time.Hour)
}

func TestAnAnswerThatWasGivenIsOnItsWayOnceItIsFlushed(t *testing.T) {
	flushed := make(chan struct{})
	c := client(t, func(s stream.Stream) {
		s.Answer(200, "", []byte("reason"))
		go func() {
			s.Flush()
			close(flushed)
		}()
	})
	if status, text := streamtest.Send(t, c, "GET", "/", nil); status != 200 || string(text) != "reason" {
		t.Errorf("got %d %s", status, text)
	}
	<-flushed
}
