package http2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/stream/streamtest"
)

func codeOf(f frame) stream.Code {
	at := 0
	if f.kind == typeGoAway {
		at = 4
	}
	return stream.Code(binary.BigEndian.Uint32(f.payload[at:]))
}

// What breaks the rules of a connection ends it, with the reason.
func TestAFaultOfAConnectionEndsIt(t *testing.T) {
	never := slices.Clip(request(1, 0, "/never"))
	window := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	long := raise(typeHeaders, 0, 1, 0x82)
	for range 5 {
		long = append(long, raise(typeContinuation, 0, 1, make([]byte, maxFrame)...)...)
	}
	for name, c := range map[string]struct {
		said []byte
		code stream.Code
	}{
		"a frame that is too large":                      {appendHeader(nil, maxFrame+1, typeData, 0, 1), frameSizeError},
		"headers on stream 0":                            {request(0, 0, "/"), stream.ProtocolError},
		"headers on an even stream":                      {request(2, 0, "/"), stream.ProtocolError},
		"headers with too much padding":                  {raise(typeHeaders, flagPadded|flagEndHeaders, 1, 5, 0), stream.ProtocolError},
		"headers with half a priority":                   {raise(typeHeaders, flagPriority|flagEndHeaders, 1, 0), frameSizeError},
		"malformed headers":                              {raise(typeHeaders, flagEndHeaders, 1, 0x80), compressionError},
		"malformed trailers":                             {append(never, raise(typeHeaders, flagEndHeaders|flagEndStream, 1, 0x80)...), compressionError},
		"headers with endless continuations":             {long, enhanceYourCalm},
		"headers with an empty continuation":             {append(raise(typeHeaders, 0, 1, 0x82), raise(typeContinuation, 0, 1)...), enhanceYourCalm},
		"a continuation without headers":                 {raise(typeContinuation, flagEndHeaders, 1), stream.ProtocolError},
		"a continuation of another stream":               {append(raise(typeHeaders, 0, 1, 0x82), raise(typeContinuation, 0, 3)...), stream.ProtocolError},
		"another frame in place of a continuation":       {append(raise(typeHeaders, 0, 1, 0x82), raise(typePing, 0, 0, make([]byte, 8)...)...), stream.ProtocolError},
		"data on stream 0":                               {raise(typeData, 0, 0), stream.ProtocolError},
		"data on an idle stream":                         {raise(typeData, 0, 1), stream.ProtocolError},
		"data with too much padding":                     {append(never, raise(typeData, flagPadded, 1, 1)...), stream.ProtocolError},
		"a reset of stream 0":                            {raise(typeReset, 0, 0, 0, 0, 0, 0), stream.ProtocolError},
		"a reset of an idle stream":                      {raise(typeReset, 0, 1, 0, 0, 0, 0), stream.ProtocolError},
		"a reset that is too short":                      {append(never, raise(typeReset, 0, 1, 0)...), frameSizeError},
		"settings on a stream":                           {raise(typeSettings, 0, 1), stream.ProtocolError},
		"half a setting":                                 {raise(typeSettings, 0, 0, 0), frameSizeError},
		"an acknowledgement with settings":               {raise(typeSettings, flagAck, 0, make([]byte, 6)...), frameSizeError},
		"an initial window that is too large":            {raise(typeSettings, 0, 0, 0, settingInitialWindow, 0x80, 0, 0, 0), flowControlError},
		"a maximum frame size that is too small":         {raise(typeSettings, 0, 0, 0, settingMaxFrame, 0, 0, 0x3f, 0xff), stream.ProtocolError},
		"an ENABLE_PUSH of 2":                            {raise(typeSettings, 0, 0, 0, settingPush, 0, 0, 0, 2), stream.ProtocolError},
		"a push":                                         {raise(typePush, 0, 1, 0, 0, 0, 2), stream.ProtocolError},
		"a ping on a stream":                             {raise(typePing, 0, 1, make([]byte, 8)...), stream.ProtocolError},
		"a ping that is too short":                       {raise(typePing, 0, 0, 0), frameSizeError},
		"a GOAWAY on a stream":                           {raise(typeGoAway, 0, 1, make([]byte, 8)...), stream.ProtocolError},
		"a GOAWAY that is too short":                     {raise(typeGoAway, 0, 0, 0), frameSizeError},
		"a priority of stream 0":                         {raise(typePriority, 0, 0, make([]byte, 5)...), stream.ProtocolError},
		"a priority that is too short":                   {raise(typePriority, 0, 1, 0), frameSizeError},
		"a window update of zero":                        {raise(typeWindowUpdate, 0, 0, window(0)...), stream.ProtocolError},
		"a window update that is too large":              {raise(typeWindowUpdate, 0, 0, window(maxWindow)...), flowControlError},
		"a window update that is too short":              {raise(typeWindowUpdate, 0, 0, 0), frameSizeError},
		"a window update of an idle stream":              {raise(typeWindowUpdate, 0, 1, window(1)...), stream.ProtocolError},
		"a stream window above the maximum by a setting": {append(append(never, raise(typeWindowUpdate, 0, 1, window(maxWindow-defaultWindow)...)...), raise(typeSettings, 0, 0, 0, settingInitialWindow, 0, 1, 0, 0)...), flowControlError},
	} {
		t.Run(name, func(t *testing.T) {
			client := greeted(t)
			client.say(c.said)
			if got := codeOf(client.await(typeGoAway)); got != c.code {
				t.Errorf("got %d, want %d", got, c.code)
			}
			if _, err := client.readFrame(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection goes on: %v", err)
			}
		})
	}
}

// What breaks the rules of a stream ends that, and no other.
func TestAFaultOfAStreamResetsIt(t *testing.T) {
	head := func(block ...byte) []byte { return raise(typeHeaders, flagEndHeaders|flagEndStream, 1, block...) }
	literal := func(name, value string) []byte {
		return append(append(append([]byte{0, byte(len(name))}, name...), byte(len(value))), value...)
	}
	get := []byte{0x82, 0x84, 0x86}
	with := func(name, value string) []byte { return head(append(get[:3:3], literal(name, value)...)...) }
	never := slices.Clip(request(1, 0, "/never"))
	flood := never
	for range 9 {
		flood = append(flood, raise(typeData, 0, 1, make([]byte, maxFrame)...)...)
	}
	counted := slices.Clip(raise(typeHeaders, flagEndHeaders, 1, append([]byte("\x82\x86\x04\x06/never"), literal("content-length", "2")...)...))
	for name, c := range map[string]struct {
		said []byte
		code stream.Code
	}{
		"no method":                               {head(0x84, 0x86), stream.ProtocolError},
		"no path":                                 {head(0x82, 0x86), stream.ProtocolError},
		"no scheme":                               {head(0x82, 0x84), stream.ProtocolError},
		"two methods":                             {head(0x82, 0x82, 0x84, 0x86), stream.ProtocolError},
		"an unexpected pseudo-header":             {with(":status", "200"), stream.ProtocolError},
		"a pseudo-header behind another":          {head(append(literal("x", "y"), get...)...), stream.ProtocolError},
		"a name in capitals":                      {with("X", "y"), stream.ProtocolError},
		"no name":                                 {with("", "y"), stream.ProtocolError},
		"a header of a connection":                {with("connection", "close"), stream.ProtocolError},
		"a malformed content length":              {with("content-length", "x"), stream.ProtocolError},
		"a content length without a body":         {with("content-length", "1"), stream.ProtocolError},
		"a body longer than its length":           {append(counted, raise(typeData, 0, 1, 1, 2, 3)...), stream.ProtocolError},
		"a body shorter than its length":          {append(counted, raise(typeData, flagEndStream, 1, 1)...), stream.ProtocolError},
		"data beyond the window":                  {flood, flowControlError},
		"data after the end":                      {append(request(1, flagEndStream, "/never"), raise(typeData, 0, 1, 1)...), streamClosed},
		"trailers that do not end the stream":     {append(never, raise(typeHeaders, flagEndHeaders, 1, 0x82)...), stream.ProtocolError},
		"headers of a stream that has ended":      {append(append(never, raise(typeReset, 0, 1, 0, 0, 0, 8)...), request(1, 0, "/")...), streamClosed},
		"a window update of zero":                 {append(never, raise(typeWindowUpdate, 0, 1, 0, 0, 0, 0)...), stream.ProtocolError},
		"a window update that is too large":       {append(never, raise(typeWindowUpdate, 0, 1, 0x7f, 0xff, 0xff, 0xff)...), flowControlError},
		"an answer before the end of the request": {request(1, 0, "/early"), stream.NoError},
	} {
		t.Run(name, func(t *testing.T) {
			client := greeted(t)
			client.say(c.said)
			if got := client.await(typeReset); codeOf(got) != c.code || got.stream != 1 {
				t.Errorf("got %d of stream %d, want %d", codeOf(got), got.stream, c.code)
			}
			client.say(request(3, flagEndStream, "/early"))
			if got := client.await(typeHeaders); got.stream != 3 || got.flags&flagEndStream == 0 || got.payload[0] != 0x89 {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestUnknownFramesAreIgnored(t *testing.T) {
	client := greeted(t)
	client.say(
		raise(77, 0xff, 1, 1, 2, 3),
		raise(typeSettings, 0, 0, 0, 99, 0, 0, 0, 1),
		raise(typePriority, 0, 5, make([]byte, 5)...),
		raise(typeGoAway, 0, 0, make([]byte, 8)...),
		raise(typePing, flagAck, 0, make([]byte, 8)...),
		request(1, flagEndStream, "/early"),
		// The stream has ended; what was on its way is no fault.
		raise(typeWindowUpdate, 0, 1, 0, 0, 0, 1), raise(typeReset, 0, 1, 0, 0, 0, 8), raise(typeData, 0, 1, 1),
		raise(typePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
	)
	if got := client.await(typePing); !got.has(flagAck) || !bytes.Equal(got.payload, []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("got %v", got)
	}
}

func TestAConnectionBeginsWithItsPreface(t *testing.T) {
	for name, said := range map[string]string{
		"another preface":           strings.Repeat("x", len(preface)),
		"half of a preface":         preface[:10] + strings.Repeat("x", 20),
		"nothing":                   "",
		"a preface without a frame": preface,
	} {
		t.Run(name, func(t *testing.T) {
			client, done := dial(t, streamtest.Echo)
			client.say([]byte(said))
			if err := client.conn.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			<-done
		})
	}
	client, _ := dial(t, streamtest.Echo)
	client.say([]byte(preface), raise(typePing, 0, 0, make([]byte, 8)...))
	if got := codeOf(client.await(typeGoAway)); got != stream.ProtocolError {
		t.Errorf("a first frame that is no settings: got %d", got)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	client := greeted(t)
	for index := range uint32(maxStreams) {
		client.say(request(1+2*index, 0, "/never"))
	}
	client.say(request(1+2*maxStreams, 0, "/never"))
	if got := client.await(typeReset); codeOf(got) != refusedStream || got.stream != 1+2*maxStreams {
		t.Errorf("got %d of stream %d", codeOf(got), got.stream)
	}
}

// A client that asks and does not listen loses its connection, and nobody waits for it.
func TestWhatAClientDoesNotReadIsBounded(t *testing.T) {
	client, done := dial(t, streamtest.Echo)
	client.say([]byte(preface), appendHeader(nil, 0, typeSettings, 0, 0))
	pings := bytes.Repeat(raise(typePing, 0, 0, make([]byte, 8)...), 1000)
	for {
		if _, err := client.conn.Write(pings); err != nil {
			break
		}
	}
	<-done
}

func TestAnswersWaitForTheirWindow(t *testing.T) {
	client, _ := dial(t, streamtest.Echo)
	// No stream may send anything at first.
	client.say([]byte(preface), raise(typeSettings, 0, 0, 0, settingInitialWindow, 0, 0, 0, 0))
	client.say(request(1, 0, "/whole"), raise(typeData, flagEndStream, 1, []byte("abc")...))
	if got := client.await(typeHeaders); got.stream != 1 || got.has(flagEndStream) {
		t.Fatalf("got %v", got)
	}
	client.say(raise(typeWindowUpdate, 0, 1, 0, 0, 0, 2))
	if got := client.await(typeData); string(got.payload) != "ab" || got.has(flagEndStream) {
		t.Fatalf("got %v", got)
	}
	// A window that is made smaller can be less than nothing.
	client.say(raise(typeSettings, 0, 0, 0, settingInitialWindow, 0, 0, 0, 1))
	if got := client.await(typeData); string(got.payload) != "c" || !got.has(flagEndStream) {
		t.Fatalf("got %v", got)
	}
}

func TestPaddingIsCountedAndDropped(t *testing.T) {
	client := greeted(t)
	client.say(request(1, 0, "/whole"))
	// In all more than a window holds, nearly all of it padding.
	for range 1000 {
		client.say(raise(typeData, flagPadded, 1, append([]byte{254, 'x'}, make([]byte, 254)...)...))
	}
	client.say(raise(typeData, flagEndStream, 1))
	for total := 0; ; {
		got := client.await(typeData)
		total += len(got.payload)
		if strings.Trim(string(got.payload), "x") != "" {
			t.Fatalf("got %q", got.payload)
		}
		if got.has(flagEndStream) {
			if total != 1000 {
				t.Errorf("got %d bytes", total)
			}
			return
		}
	}
}

// FuzzConnection: whatever a client says, its connection ends when it does, and nothing waits for
// ever.
func FuzzConnection(f *testing.F) {
	f.Add(append(appendHeader(nil, 0, typeSettings, 0, 0), request(1, flagEndStream, "/early")...))
	f.Add(append(append(appendHeader(nil, 0, typeSettings, 0, 0), request(1, 0, "/stream")...), raise(typeData, flagEndStream, 1, 1, 2, 3)...))
	f.Add(append(append(appendHeader(nil, 0, typeSettings, 0, 0), request(1, 0, "/each")...), raise(typeData, flagPadded, 1, 1, 2, 3)...))
	f.Fuzz(func(t *testing.T, said []byte) {
		client, done := dial(t, streamtest.Echo)
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			for {
				if _, err := client.readFrame(); err != nil {
					return
				}
			}
		}()
		_, err := client.conn.Write(append([]byte(preface), said...))
		if err == nil {
			err = client.conn.(*net.UnixConn).CloseWrite()
		}
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("the connection did not end; %v", err)
		}
		<-heard
	})
}
