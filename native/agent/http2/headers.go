package http2

import (
	"strconv"
	"strings"

	"a3s.dev/box/agent/stream"
)

// begin takes the headers of a request, or the trailers of a body.
func (c *connection) begin(f *frame) error {
	if f.stream == 0 || f.stream%2 == 0 || !unpad(f) {
		return fault(stream.ProtocolError)
	}
	if f.has(flagPriority) {
		if len(f.payload) < 5 {
			return fault(frameSizeError)
		}
		f.payload = f.payload[5:]
	}
	if f.has(flagEndHeaders) {
		return c.request(f.stream, f.flags, f.payload)
	}
	c.block = append(c.block[:0], f.payload...)
	c.continued, c.flags = f.stream, f.flags
	return nil
}

func (c *connection) continuation(f *frame) error {
	if c.continued == 0 {
		return fault(stream.ProtocolError)
	}
	if len(c.block)+len(f.payload) > maxBlock || len(f.payload) == 0 && !f.has(flagEndHeaders) {
		return fault(enhanceYourCalm)
	}
	c.block = append(c.block, f.payload...)
	if !f.has(flagEndHeaders) {
		return nil
	}
	c.continued = 0
	return c.request(f.stream, c.flags, c.block)
}

// request takes a whole header block.
func (c *connection) request(id uint32, flags byte, block []byte) error {
	c.mu.Lock()
	trailed := c.streams[id]
	c.mu.Unlock()
	if trailed != nil || id <= c.last {
		return c.trailers(trailed, id, flags, block)
	}
	c.last = id
	head := head{length: -1}
	if err := c.headers.decode(block, head.field); err != nil {
		return fault(compressionError)
	}
	if !head.ok() {
		c.send(appendReset(nil, id, stream.ProtocolError))
		return nil
	}
	s := &Stream{Request: head.Request, c: c, id: id, length: head.length, credit: streamWindow, complete: flags&flagEndStream != 0}
	if s.complete && s.length > 0 {
		c.send(appendReset(nil, id, stream.ProtocolError))
		return nil
	}
	c.mu.Lock()
	if len(c.streams) >= maxStreams {
		c.mu.Unlock()
		c.send(appendReset(nil, id, refusedStream))
		return nil
	}
	s.window = c.initial
	c.streams[id] = s
	c.mu.Unlock()
	c.handler(s)
	return nil
}

// trailers end a body. What they say is of no use.
func (c *connection) trailers(s *Stream, id uint32, flags byte, block []byte) error {
	// The table of headers is kept in step even where the stream is gone.
	if err := c.headers.decode(block, func(string, string) {}); err != nil {
		return fault(compressionError)
	}
	switch {
	case s == nil:
		c.send(appendReset(nil, id, streamClosed))
	case flags&flagEndStream == 0:
		s.Reset(stream.ProtocolError)
	default:
		return c.data(&frame{kind: typeData, flags: flagEndStream, stream: id})
	}
	return nil
}

// data takes a piece of a body.
func (c *connection) data(f *frame) error {
	size := len(f.payload)
	if f.stream == 0 || f.stream > c.last || !unpad(f) {
		return fault(stream.ProtocolError)
	}
	// The connection's window is restored at once, so that a body without a reader does not block
	// others.
	if c.received += size; c.received >= connectionWindow/4 {
		c.send(appendWindowUpdate(nil, 0, c.received))
		c.received = 0
	}
	c.mu.Lock()
	s := c.streams[f.stream]
	if s == nil {
		c.mu.Unlock()
		return nil
	}
	if s.complete {
		c.mu.Unlock()
		s.Reset(streamClosed)
		return nil
	}
	last := f.has(flagEndStream)
	s.credit -= size
	s.come += len(f.payload)
	// Padding is used up as soon as it has come.
	s.taken += size - len(f.payload)
	reads := s.collect == nil && s.each == nil
	over := s.credit < 0
	broken := s.length >= 0 && (s.come > s.length || last && s.come < s.length)
	tooLarge := s.collect != nil && s.come > s.limit
	var update int
	if !over && !broken && !tooLarge {
		if s.each == nil {
			s.body = append(s.body, f.payload...)
		}
		s.complete = last
		if !reads && !last {
			s.taken += len(f.payload)
			if s.taken >= streamWindow/2 {
				update, s.taken = s.taken, 0
				s.credit += update
			}
		}
		if reads {
			c.changed.Broadcast()
		}
	}
	body := s.body
	c.mu.Unlock()
	switch {
	case over:
		s.Reset(flowControlError)
	case broken:
		s.Reset(stream.ProtocolError)
	case tooLarge:
		done := s.collect
		s.collect = nil
		done(nil, stream.ErrTooLarge)
	case s.each != nil:
		s.each(f.payload, last)
	case last && s.collect != nil:
		s.collect(body, nil)
	}
	if update > 0 {
		c.send(appendWindowUpdate(nil, s.id, update))
	}
	return nil
}

func (c *connection) reset(f *frame) error {
	if f.stream == 0 || f.stream > c.last {
		return fault(stream.ProtocolError)
	}
	if len(f.payload) != 4 {
		return fault(frameSizeError)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[f.stream]; s != nil {
		s.endLocked()
	}
	return nil
}

// head gathers what the fields of a request say.
type head struct {
	stream.Request
	length    int
	seen      [4]bool
	regular   bool
	malformed bool
}

// The pseudo-header fields; section 8.3.1.
const (
	pseudoMethod = iota
	pseudoPath
	pseudoScheme
	pseudoAuthority
)

func (h *head) field(name, value string) {
	h.HeaderBytes += len(name) + len(value)
	if name != "" && name[0] == ':' {
		h.pseudo(name, value)
		return
	}
	h.regular = true
	h.malformed = h.malformed || !isName(name)
	switch name {
	case "a3s-protocol":
		// More than two are no better than two.
		if len(h.Protocols) < 2 {
			h.Protocols = append(h.Protocols, value)
		}
	case "content-length":
		length, err := strconv.Atoi(value)
		if err != nil || length < 0 || h.length >= 0 && h.length != length {
			h.malformed = true
			return
		}
		h.length = length
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.malformed = true
	}
}

func (h *head) pseudo(name, value string) {
	which := 0
	switch name {
	case ":method":
		which, h.Method = pseudoMethod, value
	case ":path":
		which = pseudoPath
		h.Path, h.Query, _ = strings.Cut(value, "?")
	case ":scheme":
		which = pseudoScheme
	case ":authority":
		which = pseudoAuthority
	default:
		h.malformed = true
		return
	}
	h.malformed = h.malformed || h.regular || h.seen[which]
	h.seen[which] = true
}

func (h *head) ok() bool {
	return !h.malformed && h.Method != "" && h.Path != "" && h.seen[pseudoScheme]
}

// isName says whether a field may be called so; section 8.2.1.
func isName(name string) bool {
	for index := range len(name) {
		if c := name[index]; c <= ' ' || 'A' <= c && c <= 'Z' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return name != ""
}
