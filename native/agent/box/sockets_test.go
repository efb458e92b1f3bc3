package box_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
)

// carried is a connection of the box at the host's end.
type carried struct {
	t      *testing.T
	in     *io.PipeWriter
	answer *http.Response
}

// begin sends a request about a socket, and returns at once: it is answered when there is a
// connection.
func (h *host) begin(path string) <-chan *carried {
	reader, writer := io.Pipe()
	answered := make(chan *carried, 1)
	go func() {
		answer, err := h.request("POST", path, reader)
		if err != nil || answer.StatusCode != 200 {
			h.t.Errorf("%s: %v, %v", path, answer, err)
			close(answered)
			return
		}
		answered <- &carried{h.t, writer, answer}
	}()
	return answered
}

func (c *carried) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, text); err != nil {
		c.t.Error(err)
	}
}

// rest ends what the host sends, and returns all that comes.
func (c *carried) rest() string {
	c.t.Helper()
	if err := c.in.Close(); err != nil {
		c.t.Error(err)
	}
	text, err := io.ReadAll(c.answer.Body)
	if err != nil {
		c.t.Error(err)
	}
	return string(text)
}

func TestAConnectionToASocketOfTheBoxIsCarriedBothWays(t *testing.T) {
	h := start(t, document)
	h.version = "10"
	listener, err := box.ListenInBox(h.box, "/tmp/a.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		// It answers only when it has all that the host sends.
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			text, err := io.ReadAll(conn)
			if err == nil {
				_, err = io.WriteString(conn, strings.ToUpper(string(text)))
			}
			if err != nil {
				t.Error(err)
			}
			_ = conn.Close()
		}
	}()
	for _, size := range []int{0, 1, 300_000} {
		c := <-h.begin("/v1/sockets/connect?path=/tmp/a.sock")
		if c == nil {
			t.FailNow()
		}
		c.send(strings.Repeat("a", size))
		if got := c.rest(); got != strings.Repeat("A", size) {
			t.Errorf("got %d bytes, want %d", len(got), size)
		}
	}
}

func TestAHostThatGoesAwayTakesItsConnectionWithIt(t *testing.T) {
	h := start(t, document)
	h.version = "10"
	listener, err := box.ListenInBox(h.box, "/tmp/a.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := <-h.begin("/v1/sockets/connect?path=/tmp/a.sock")
	if c == nil {
		t.FailNow()
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.answer.Body.Close(); err != nil {
		t.Error(err)
	}
	// Without it, the test ends at its deadline.
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("something came")
	}
	_ = c.in.Close()
}

func TestTheHostIsGivenTheConnectionsToAPortOfTheBox(t *testing.T) {
	h := start(t, document)
	h.version = "10"
	first, second := h.begin("/v1/sockets/accept?port=3128"), h.begin("/v1/sockets/accept?port=3128")
	// Both ask for the port, and each has one of its connections, in whichever order.
	// The client says something, and ends when it was answered.
	client := script(`for i in 1 2; do
		until busybox nc 127.0.0.1 3128 -e /bin/busybox sh -c 'echo from the box; read line; echo "$line" >> /tmp/answers'; do :; done
	done
	busybox cat /tmp/answers`)
	if status, text := h.call("POST", "/v1/processes", h.body("c1", client)); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for range 2 {
		var c *carried
		select {
		case c = <-first:
		case c = <-second:
		}
		if c == nil {
			t.FailNow()
		}
		c.send("to the box\n")
		if got := c.rest(); got != "from the box\n" {
			t.Errorf("got %q", got)
		}
	}
	if got := h.output("c1"); got != "to the box\nto the box\n" {
		t.Errorf("got %q", got)
	}
}

func TestTheHostConnectsToAPortOfTheLoopback(t *testing.T) {
	h := start(t, document)
	h.version = "14"
	// The agent's own network has no such port.
	h.refuses("POST", "/v1/sockets/dial?port=3129", nil, 409, "socket-refused")
	listener, err := h.box.Listen("127.0.0.1:3129")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		text, err := io.ReadAll(conn)
		if err == nil {
			_, err = io.WriteString(conn, strings.ToUpper(string(text)))
		}
		if err != nil {
			t.Error(err)
		}
	}()
	c := <-h.begin("/v1/sockets/dial?port=3129")
	if c == nil {
		t.FailNow()
	}
	c.send("to the pod")
	if got := c.rest(); got != "TO THE POD" {
		t.Errorf("got %q", got)
	}
}

func TestSocketsThatAreNotThereAreRefused(t *testing.T) {
	h := start(t, document)
	h.refuses("POST", "/v1/sockets/connect?path=/run/x.sock", nil, 404, "not-found")
	h.version = "10"
	h.refuses("POST", "/v1/sockets/connect?path=/run/x.sock", nil, 409, "socket-refused")
	h.refuses("POST", "/v1/sockets/connect?path=/etc/hostname", nil, 409, "socket-refused")
	for _, query := range []string{
		"", "?path=", "?path=run", "?path=/a%20b", "?path=/a&path=/b", "?path=/" + strings.Repeat("a", 107), "?port=1",
	} {
		h.refuses("POST", "/v1/sockets/connect"+query, nil, 400, "invalid")
	}
	for _, query := range []string{"", "?port=", "?port=0", "?port=01", "?port=65536", "?port=-1", "?port=x", "?path=/a"} {
		h.refuses("POST", "/v1/sockets/accept"+query, nil, 400, "invalid")
	}
	h.refuses("POST", "/v1/sockets/dial?port=1", nil, 404, "not-found")
	h.version = "14"
	for _, query := range []string{"", "?port=0", "?port=65536", "?path=/a"} {
		h.refuses("POST", "/v1/sockets/dial"+query, nil, 400, "invalid")
	}
}

func TestSocketsAreBounded(t *testing.T) {
	h := start(t, document)
	h.version = "10"
	var done []func()
	for range box.MaxSockets {
		end, err := h.box.UseSocket()
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, end)
	}
	h.refuses("POST", "/v1/sockets/connect?path=/run/x.sock", nil, 409, "conflict")
	done[0]()
	h.refuses("POST", "/v1/sockets/connect?path=/run/x.sock", nil, 409, "socket-refused")
	done[0]()
	gone := make(chan struct{})
	close(gone)
	for port := range 4 {
		// The wait is over at once; the agent listens.
		_, _ = h.box.Accept(4000+port, gone)
	}
	h.refuses("POST", "/v1/sockets/accept?port=5000", nil, 409, "conflict")
}

func TestTheWaitForAConnectionEndsWithTheBox(t *testing.T) {
	h := start(t, document)
	h.version = "10"
	answered := make(chan string)
	go func() {
		_, text := h.call("POST", "/v1/sockets/accept?port=3128", nil)
		answered <- text
	}()
	box.AwaitPort(h.box, 3128)
	if err := box.CloseSockets(h.box); err != nil {
		t.Error(err)
	}
	if got := <-answered; !strings.Contains(got, `"conflict"`) {
		t.Errorf("got %s", got)
	}
	h.refuses("POST", "/v1/sockets/accept?port=3128", nil, 409, "conflict")
}
