package http2

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"time"

	"a3s.dev/box/agent/stream"
)

// preface is the first bytes of every client; section 3.4.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// readBytes holds the largest frame, and is larger so that few reads bring much.
const readBytes = 64 << 10

// defaultWindow is that of streams and connections before anything else is said.
const defaultWindow = 1<<16 - 1

// maxWindow is the largest that a window may be.
const maxWindow = 1<<31 - 1

// lastWords is how long a client that broke the rules has to read the error.
const lastWords = time.Second

// fault is the end of a connection that broke the rules.
type fault stream.Code

func (fault) Error() string { return "the connection broke the rules" }

// connection is the connection of one client. One goroutine reads and calls the handler; only it
// uses the fields of the first group.
type connection struct {
	handler stream.Handler
	headers *decoder
	// last is the highest stream that the client opened.
	last             uint32
	settingsReceived bool
	// block is a header block that continues, of the stream `continued`, whose first frame had
	// these flags.
	block     []byte
	continued uint32
	flags     byte
	// received is how much of the connection's window is used up.
	received int

	net net.Conn

	mu sync.Mutex
	// changed signals every change of the fields below.
	changed *sync.Cond
	streams map[uint32]*Stream
	ended   bool
	// window is how many bytes may be sent on all streams together, initial how many on a new
	// stream.
	window, initial int
	maxFrame        int
	// queued has the frames that wait for the goroutine that writes. standby is a second buffer,
	// which is not in use.
	queued, standby []byte
	writing         bool
}

func newConnection(conn net.Conn, handler stream.Handler) *connection {
	c := &connection{
		net: conn, handler: handler, headers: newDecoder(), streams: map[uint32]*Stream{},
		window: defaultWindow, initial: defaultWindow, maxFrame: maxFrame,
	}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// serve reads into a buffer until the client is gone or breaks the rules.
func (c *connection) serve(buffer []byte) {
	defer c.end()
	var held int
	for started := false; ; {
		n, err := c.net.Read(buffer[held:])
		if err != nil {
			return
		}
		held += n
		data := buffer[:held]
		if !started {
			if len(data) < len(preface) {
				if !bytes.HasPrefix([]byte(preface), data) {
					return
				}
				continue
			}
			if string(data[:len(preface)]) != preface {
				return
			}
			started = true
			data = data[len(preface):]
			c.send(greeting())
		}
		rest, err := c.take(data)
		if err != nil {
			code := stream.ProtocolError
			if f, ok := err.(fault); ok {
				code = stream.Code(f)
			}
			c.send(appendGoAway(nil, c.last, code))
			timer := time.AfterFunc(lastWords, c.end)
			c.drained()
			timer.Stop()
			return
		}
		held = copy(buffer, rest)
	}
}

func greeting() []byte {
	const settings = 3
	to := appendHeader(make([]byte, 0, 64), 6*settings, typeSettings, 0, 0)
	to = appendSetting(to, settingMaxStreams, maxStreams)
	to = appendSetting(to, settingInitialWindow, streamWindow)
	to = appendSetting(to, settingMaxHeaderList, maxBlock)
	return appendWindowUpdate(to, 0, connectionWindow-defaultWindow)
}

// take handles the whole frames among the bytes that were read, and returns the rest. Output that
// is queued meanwhile is sent in one piece.
func (c *connection) take(data []byte) (rest []byte, err error) {
	mine := c.holdBack()
	for err == nil && len(data) >= headerBytes {
		length := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
		if length > maxFrame {
			err = fault(frameSizeError)
			break
		}
		if len(data) < headerBytes+length {
			break
		}
		f := frame{data[3], data[4], binary.BigEndian.Uint32(data[5:]) & maxWindow, data[headerBytes : headerBytes+length]}
		data = data[headerBytes+length:]
		err = c.handle(&f)
	}
	if mine {
		c.write(true)
	}
	return data, err
}

func (c *connection) handle(f *frame) error {
	if !c.settingsReceived && (f.kind != typeSettings || f.has(flagAck)) {
		return fault(stream.ProtocolError)
	}
	if c.continued != 0 && (f.kind != typeContinuation || f.stream != c.continued) {
		return fault(stream.ProtocolError)
	}
	switch f.kind {
	case typeData:
		return c.data(f)
	case typeHeaders:
		return c.begin(f)
	case typeContinuation:
		return c.continuation(f)
	case typeReset:
		return c.reset(f)
	case typeSettings:
		return c.settings(f)
	case typePing:
		if len(f.payload) != 8 {
			return fault(frameSizeError)
		}
		if f.stream != 0 {
			return fault(stream.ProtocolError)
		}
		if !f.has(flagAck) {
			c.send(append(appendHeader(nil, 8, typePing, flagAck, 0), f.payload...))
		}
	case typeWindowUpdate:
		return c.windowUpdate(f)
	case typePriority:
		if f.stream == 0 {
			return fault(stream.ProtocolError)
		}
		if len(f.payload) != 5 {
			return fault(frameSizeError)
		}
	case typePush:
		return fault(stream.ProtocolError)
	case typeGoAway:
		if f.stream != 0 {
			return fault(stream.ProtocolError)
		}
		if len(f.payload) < 8 {
			return fault(frameSizeError)
		}
	}
	// Others are unknown, and to be ignored.
	return nil
}

func (c *connection) settings(f *frame) error {
	if f.stream != 0 {
		return fault(stream.ProtocolError)
	}
	if f.has(flagAck) {
		if len(f.payload) != 0 {
			return fault(frameSizeError)
		}
		return nil
	}
	if len(f.payload)%6 != 0 {
		return fault(frameSizeError)
	}
	c.settingsReceived = true
	c.mu.Lock()
	err := c.apply(f.payload)
	c.changed.Broadcast()
	c.mu.Unlock()
	if err == nil {
		c.send(appendHeader(nil, 0, typeSettings, flagAck, 0))
	}
	return err
}

func (c *connection) apply(settings []byte) error {
	for ; len(settings) > 0; settings = settings[6:] {
		value := binary.BigEndian.Uint32(settings[2:])
		switch binary.BigEndian.Uint16(settings) {
		case settingPush:
			if value > 1 {
				return fault(stream.ProtocolError)
			}
		case settingInitialWindow:
			if value > maxWindow {
				return fault(flowControlError)
			}
			for _, s := range c.streams {
				if s.window += int(value) - c.initial; s.window > maxWindow {
					return fault(flowControlError)
				}
			}
			c.initial = int(value)
		case settingMaxFrame:
			if value < maxFrame || value > 1<<24-1 {
				return fault(stream.ProtocolError)
			}
			c.maxFrame = int(value)
		}
	}
	return nil
}

func (c *connection) windowUpdate(f *frame) error {
	if len(f.payload) != 4 {
		return fault(frameSizeError)
	}
	increment := int(binary.BigEndian.Uint32(f.payload) & maxWindow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.stream == 0 {
		c.window += increment
		if increment == 0 {
			return fault(stream.ProtocolError)
		}
		if c.window > maxWindow {
			return fault(flowControlError)
		}
		c.changed.Broadcast()
		return nil
	}
	if f.stream > c.last {
		return fault(stream.ProtocolError)
	}
	// A stream that has ended may still be given credit.
	if s := c.streams[f.stream]; s != nil {
		s.window += increment
		if increment == 0 || s.window > maxWindow {
			code := flowControlError
			if increment == 0 {
				code = stream.ProtocolError
			}
			c.queue(appendReset(nil, s.id, code))
			s.endLocked()
		}
		c.changed.Broadcast()
	}
	return nil
}

// end closes the connection to the client, and wakes the goroutines that wait for it.
func (c *connection) end() {
	c.mu.Lock()
	already := c.ended
	c.ended = true
	for _, s := range c.streams {
		s.endLocked()
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	if !already {
		// No caller is left that could be given this error.
		_ = c.net.Close()
	}
}
