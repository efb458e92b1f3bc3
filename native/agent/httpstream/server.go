// Package httpstream serves the control stream of a confidential guest by net/http. Its client is
// the host, whom such a guest does not trust: what parses the host's bytes is the standard
// library's.
//
// It costs the first requests of a guest some 40 ms under emulation, which confidential guests,
// that no template starts, can spare.
package httpstream

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"a3s.dev/box/agent/stream"
)

// Bounds of a connection.
const (
	maxStreams = 256
	// maxHeaders bounds the headers of a request. What reads a request holds it to less, and can
	// say so.
	maxHeaders = 64 << 10
	maxFrame   = 16 << 10
	// streamWindow is how many bytes of one body may be in flight. A body without a reader blocks
	// only itself.
	streamWindow     = 128 << 10
	connectionWindow = maxStreams * streamWindow
)

// Server serves connections with a handler.
type Server struct {
	Handler stream.Handler
}

// HTTP makes the server of a listener that has one connection at a time.
func (s *Server) HTTP() *HTTPServer {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return &HTTPServer{&http.Server{
		Handler:        http.HandlerFunc(s.answer),
		Protocols:      protocols,
		MaxHeaderBytes: maxHeaders,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              maxFrame,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
		},
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(withConnection(ctx, conn), requestQueueKey{}, newRequestQueue(timeout))
		},
		// Its messages may quote the host, so they are dropped.
		ErrorLog: log.New(io.Discard, "", 0),
	}}
}

// timeout bounds how long a request waits for a request with a lower number. The host may cancel a
// request that it has numbered and not sent: later requests then wait this long.
const timeout = time.Second

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	defer crash()
	t := newRequest(w, r)
	s.begin(t, r)
	t.answer()
}

// begin calls the handler when the request may begin, and then the function that collects its body.
func (s *Server) begin(t *request, r *http.Request) {
	queue := r.Context().Value(requestQueueKey{}).(*requestQueue)
	defer queue.enter(r)()
	queue.call(func() { s.Handler(t) })
	if t.collect == nil {
		if t.each != nil {
			go t.feed()
		}
		return
	}
	if body, err := t.whole(); err != errGone {
		queue.call(func() { t.collect(body, err) })
	}
}

// crash ends the agent where a handler panics, which package http would go on from.
func crash() {
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		go panic(cause)
		select {}
	}
}
