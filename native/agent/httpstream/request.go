package httpstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"a3s.dev/box/agent/stream"
)

// errGone is a body whose stream ended before it was complete.
var errGone = errors.New("the body is not complete")

// request is one request of package http, and its answer. Package http calls it in a goroutine,
// which writes whole answers, begins others, and waits for the end.
type request struct {
	head   stream.Request
	writer http.ResponseWriter
	body   io.Reader
	// over is closed with the stream; gone when package http has got all that it should send.
	over <-chan struct{}
	gone chan struct{}
	conn *connection
	// endsBefore counts the ends of streams on the connection when package http got all; set before
	// gone is closed.
	endsBefore uint64

	// Set by the handler.
	limit   int
	collect func(body []byte, err error)
	each    func(piece []byte, last bool)

	// writing is held while the writer is used, and protects `headersSent`: the headers of the
	// answer were given to it.
	writing     sync.Mutex
	headersSent bool

	mu sync.Mutex
	// changed wakes the goroutine of package http.
	changed chan struct{}
	// status and kind are the answer's, once there is one; complete says that `document` is all of
	// it.
	status   int
	kind     string
	complete bool
	document []byte
	// ended is a stream that needs nothing more, and aborted one of these whose answer is not
	// complete.
	ended, aborted bool
	onEnd          []func()
}

var _ stream.Stream = (*request)(nil)

func newRequest(w http.ResponseWriter, r *http.Request) *request {
	t := &request{
		writer: w, body: r.Body, over: r.Context().Done(), gone: make(chan struct{}), changed: make(chan struct{}, 1),
		conn: r.Context().Value(connectionKey{}).(*connection),
	}
	t.head.Method = r.Method
	t.head.Path, t.head.Query, _ = strings.Cut(r.RequestURI, "?")
	t.head.HeaderBytes = len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			t.head.HeaderBytes += len(name) + len(value)
		}
	}
	// More than two are no better than two.
	t.head.Protocols = r.Header.Values("A3s-Protocol")
	context.AfterFunc(r.Context(), func() { t.end(true) })
	return t
}

func (t *request) Head() *stream.Request { return &t.head }

func (t *request) Collect(limit int, done func(body []byte, err error)) {
	t.limit, t.collect = limit, done
}

func (t *request) Each(take func(piece []byte, last bool)) { t.each = take }

// whole reads the body that is collected.
func (t *request) whole() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(t.body, int64(t.limit)+1))
	switch {
	case err != nil:
		return nil, errGone
	case len(body) > t.limit:
		return nil, stream.ErrTooLarge
	default:
		return body, nil
	}
}

// feed delivers the pieces of the body.
func (t *request) feed() {
	buffer := make([]byte, maxFrame)
	for {
		n, err := t.body.Read(buffer)
		if err != nil && err != io.EOF {
			return
		}
		if n > 0 || err != nil {
			t.each(buffer[:n], err != nil)
		}
		if err != nil {
			return
		}
	}
}

func (t *request) Read(data []byte) (int, error) {
	n, err := t.body.Read(data)
	if err != nil && err != io.EOF {
		return n, stream.ErrEnded
	}
	return n, err
}

func (t *request) OnEnd(end func()) {
	t.mu.Lock()
	ended := t.ended
	if !ended {
		t.onEnd = append(t.onEnd, end)
	}
	t.mu.Unlock()
	if ended {
		end()
	}
}

func (t *request) Answer(status int, contentType string, body []byte) {
	t.mu.Lock()
	if t.status == 0 && !t.ended {
		t.status, t.kind, t.complete, t.document = status, contentType, true, body
	}
	t.mu.Unlock()
	t.notify()
}

func (t *request) Begin(status int, contentType string) {
	t.mu.Lock()
	if t.status == 0 && !t.ended {
		t.status, t.kind = status, contentType
	}
	t.mu.Unlock()
	t.notify()
}

func (t *request) Write(data []byte, last bool) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.sendHead() != nil {
		return stream.ErrEnded
	}
	if _, err := t.writer.Write(data[stream.Room:]); err != nil {
		return stream.ErrEnded
	}
	if last {
		t.end(false)
		return nil
	}
	if http.NewResponseController(t.writer).Flush() != nil {
		return stream.ErrEnded
	}
	return nil
}

func (t *request) Reset(stream.Code) { t.end(true) }

// flushTime bounds the wait for a connection that takes no bytes.
const flushTime = 5 * time.Second

// Flush waits until the write of the frame that ends the stream has returned. Another stream that
// ends at the same time may be taken for this one: package http does not say which number a request
// has.
func (t *request) Flush() {
	<-t.gone
	<-t.over
	if _, _, aborted := t.state(); !aborted {
		t.conn.awaitEnd(t.endsBefore, flushTime)
	}
}

// AwaitClose waits until the connection is closed.
func (t *request) AwaitClose() { <-t.conn.closed }

func (t *request) notify() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// end is the end of the stream: of a complete answer, or not.
func (t *request) end(abort bool) {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	t.ended, t.aborted = true, abort
	ends := t.onEnd
	t.onEnd = nil
	t.mu.Unlock()
	for _, end := range ends {
		end()
	}
	t.notify()
}
