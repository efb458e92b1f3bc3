// Package stream is the interface of a request of the control stream and its answer: http2
// implements it in plain guests, httpstream in confidential ones.
package stream

import (
	"errors"
	"io"
)

// Room is how many bytes every Write needs before its data, for a header that a server may put
// there.
const Room = 9

// Errors of streams.
var (
	// ErrEnded is a stream that was reset, that was answered, or whose connection is gone.
	ErrEnded = errors.New("the stream has ended")
	// ErrTooLarge is a body beyond its bound.
	ErrTooLarge = errors.New("the body is too large")
)

// Code says why a stream ends; RFC 9113, section 7.
type Code uint32

// Codes that streams are reset with.
const (
	NoError       Code = 0
	ProtocolError Code = 1
	InternalError Code = 2
)

// Request has the content of a stream's headers.
type Request struct {
	Method, Path string
	// Query is the text after the path's question mark.
	Query string
	// Protocols are the values of a3s-protocol.
	Protocols []string
	// HeaderBytes is the size of all names and values.
	HeaderBytes int
}

// Handler begins to answer a request whose headers have come. Handlers are called one at a time, in
// the order of the requests, and must not block: the connection waits meanwhile.
type Handler func(s Stream)

// Stream is one request and its answer.
type Stream interface {
	Head() *Request

	// Collect has the whole body handed over as soon as it has come, ErrTooLarge once it is larger
	// than the limit. It is called by a handler, and `done` is then called as handlers are.
	Collect(limit int, done func(body []byte, err error))
	// Each has the pieces of the body handed over as they come, the last of them maybe empty. It is
	// called by a handler, before it lets go of the request. `take` must not wait for anything.
	Each(take func(piece []byte, last bool))
	// Read reads the next bytes of the body; io.EOF at its end, ErrEnded when the stream ends
	// before.
	io.Reader

	// OnEnd has a function called when the stream ends, at once when it has. It must not wait.
	OnEnd(end func())

	// Answer gives a whole answer, and ends the stream. It does not wait for the client to take it.
	Answer(status int, contentType string, body []byte)
	// Begin gives the headers of an answer whose body follows.
	Begin(status int, contentType string)
	// Write sends what follows the first Room bytes of data as part of the answer's body, and ends
	// the stream when that is the last. It waits as long as the client does not take it, may
	// overwrite what it has sent, and fails with ErrEnded.
	Write(data []byte, last bool) error
	// Reset ends the stream without an answer, or within one.
	Reset(code Code)
	// Flush waits until all that was sent is written, which does not say that the client has it.
	Flush()
	// AwaitClose waits until the connection is closed, as a client does that has what it asked for.
	AwaitClose()
}
