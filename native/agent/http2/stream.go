package http2

import (
	"io"

	"a3s.dev/box/agent/stream"
)

// Stream is one request and its answer.
type Stream struct {
	stream.Request

	c  *connection
	id uint32
	// length is the length that the request declares for its body, or -1; come counts the bytes
	// received. Only the connection's reading goroutine uses them.
	length, come int
	// collect receives the complete body, up to `limit` bytes. each receives it in pieces. Only the
	// connection's reading goroutine uses them.
	collect func(body []byte, err error)
	each    func(piece []byte, last bool)
	limit   int

	// The connection's lock protects all below.
	window int
	// body holds bytes that were received and not read yet; taken is how much of the client's
	// window is used up.
	body  []byte
	taken int
	// credit is how many bytes the client may still send.
	credit   int
	complete bool
	ended    bool
	onEnd    []func()
}

var _ stream.Stream = (*Stream)(nil)

// Head is the content of the request's headers.
func (s *Stream) Head() *stream.Request { return &s.Request }

// Collect has the whole body handed over as soon as it has come, stream.ErrTooLarge once it is
// larger than the limit. It is called by a handler, and `done` is then called as handlers are.
func (s *Stream) Collect(limit int, done func(body []byte, err error)) {
	if s.isComplete() {
		done(nil, nil)
		return
	}
	s.limit, s.collect = limit, done
}

// Each has the pieces of the body handed over as they come, the last of them maybe empty. It is
// called by a handler, before it lets go of the request, and `take` is then called as handlers are.
func (s *Stream) Each(take func(piece []byte, last bool)) {
	if s.isComplete() {
		take(nil, true)
		return
	}
	s.each = take
}

func (s *Stream) isComplete() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.complete
}

// OnEnd has a function called when the stream ends, at once when it has. It must not wait.
func (s *Stream) OnEnd(end func()) {
	s.c.mu.Lock()
	ended := s.ended
	if !ended {
		s.onEnd = append(s.onEnd, end)
	}
	s.c.mu.Unlock()
	if ended {
		end()
	}
}

// Read reads the next bytes of the body; io.EOF at its end, stream.ErrEnded when the stream ends
// before.
func (s *Stream) Read(data []byte) (int, error) {
	c := s.c
	c.mu.Lock()
	for len(s.body) == 0 && !s.complete && !s.ended {
		c.changed.Wait()
	}
	if s.ended {
		c.mu.Unlock()
		return 0, stream.ErrEnded
	}
	if len(s.body) == 0 {
		c.mu.Unlock()
		return 0, io.EOF
	}
	n := copy(data, s.body)
	s.body = s.body[:copy(s.body, s.body[n:])]
	s.taken += n
	update := 0
	if s.taken >= streamWindow/2 && !s.complete {
		update = s.taken
		s.taken = 0
		s.credit += update
	}
	c.mu.Unlock()
	if update > 0 {
		c.send(appendWindowUpdate(nil, s.id, update))
	}
	return n, nil
}

// Answer gives a whole answer, and ends the stream. It does not wait for the client to take it.
func (s *Stream) Answer(status int, contentType string, body []byte) {
	c := s.c
	c.mu.Lock()
	if s.ended || c.ended {
		c.mu.Unlock()
		return
	}
	last := byte(0)
	if len(body) == 0 {
		last = flagEndStream
	}
	s.headers(status, contentType, last)
	fits := len(body) <= min(s.window, c.window, c.maxFrame)
	if fits {
		if len(body) > 0 {
			s.window -= len(body)
			c.window -= len(body)
			c.queue(appendHeader(nil, len(body), typeData, flagEndStream, s.id))
			c.queue(body)
		}
		s.close()
	}
	c.mu.Unlock()
	c.send(nil)
	if !fits {
		data := append(make([]byte, stream.Room, stream.Room+len(body)), body...)
		go func() {
			// A client that is gone has no use for the rest.
			_ = s.Write(data, true)
		}()
	}
}

// Begin gives the headers of an answer whose body follows.
func (s *Stream) Begin(status int, contentType string) {
	s.c.mu.Lock()
	if !s.ended {
		s.headers(status, contentType, 0)
	}
	s.c.mu.Unlock()
	s.c.send(nil)
}

// headers queues the headers of an answer.
func (s *Stream) headers(status int, contentType string, flags byte) {
	var space [64]byte
	block := appendAnswer(space[:headerBytes], status, contentType)
	putHeader(block, len(block)-headerBytes, typeHeaders, flagEndHeaders|flags, s.id)
	s.c.queue(block)
}

// Write sends what follows the first Room bytes of data as part of the answer's body, and ends the
// stream when that is the last. It waits as long as the client does not take it, overwrites what it
// has sent, and fails with stream.ErrEnded.
func (s *Stream) Write(data []byte, last bool) error {
	c := s.c
	for rest := len(data) - stream.Room; ; {
		n, err := s.turn(rest)
		if err != nil {
			return err
		}
		flags := byte(0)
		if last && n == rest {
			flags = flagEndStream
		}
		putHeader(data, n, typeData, flags, s.id)
		if !c.writeAll(data[:stream.Room+n]) {
			return stream.ErrEnded
		}
		data, rest = data[n:], rest-n
		if flags == flagEndStream {
			c.mu.Lock()
			s.close()
			c.mu.Unlock()
		}
		c.write(false)
		if rest == 0 {
			return nil
		}
	}
}

// turn claims the connection's writer role for the caller, and returns how many of so many bytes it
// may send.
func (s *Stream) turn(rest int) (int, error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for !s.ended && !c.ended && (c.writing || rest > 0 && min(s.window, c.window) <= 0) {
		c.changed.Wait()
	}
	if s.ended || c.ended {
		return 0, stream.ErrEnded
	}
	n := min(rest, max(0, min(s.window, c.window)), c.maxFrame)
	s.window -= n
	c.window -= n
	c.writing = true
	// What was queued comes before what is written now: an answer's headers are among it.
	if data := c.queued; len(data) > 0 {
		c.queued = nil
		c.mu.Unlock()
		ok := c.writeAll(data)
		c.mu.Lock()
		if !ok {
			return 0, stream.ErrEnded
		}
	}
	return n, nil
}

// Reset ends the stream without an answer, or within one.
func (s *Stream) Reset(code stream.Code) {
	s.c.mu.Lock()
	if !s.ended {
		s.c.queue(appendReset(nil, s.id, code))
		s.endLocked()
	}
	s.c.mu.Unlock()
	s.c.send(nil)
}

// Flush waits until all that was sent is written.
func (s *Stream) Flush() { s.c.drained() }

// AwaitClose waits until the connection is closed.
func (s *Stream) AwaitClose() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for !s.c.ended {
		s.c.changed.Wait()
	}
}

// close is the end of a complete answer. What is left of the request is not needed; section 8.1.
func (s *Stream) close() {
	if s.ended {
		return
	}
	if !s.complete {
		s.c.queue(appendReset(nil, s.id, stream.NoError))
	}
	s.endLocked()
}

// endLocked takes the stream off its connection, whose lock the caller holds.
func (s *Stream) endLocked() {
	if s.ended {
		return
	}
	s.ended = true
	s.body = nil
	delete(s.c.streams, s.id)
	s.c.changed.Broadcast()
	for _, end := range s.onEnd {
		end()
	}
	s.onEnd = nil
}
