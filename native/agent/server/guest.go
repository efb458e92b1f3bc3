package server

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/signals"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

// errBody is a body where none belongs.
var errBody = &Error{"invalid", "the request must have no body"}

func (s *Server) hello(t stream.Stream, _ []byte, _ string) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		writeError(t, err)
		return
	}
	bootID, err := s.Box.BootID()
	if err != nil {
		writeError(t, err)
		return
	}
	to := strconv.AppendInt(append(make([]byte, 0, 256), `{"protocol":{"minimum":`...), int64(s.minimum()), 10)
	to = strconv.AppendInt(append(to, `,"maximum":`...), maxProtocol, 10)
	to = appendText(append(to, `},"agent":`...), s.Version)
	to = appendText(append(to, `,"kernel":`...), strings.TrimSpace(string(kernel)))
	to = appendText(append(to, `,"bootId":`...), bootID)
	if s.Confidential != nil {
		to = appendText(append(to, `,"tee":`...), s.Confidential.TEE())
	} else {
		// By this the host sees whether the guest's clock runs at the rate of its own.
		to = strconv.AppendInt(append(to, `,"uptimeUsec":`...), linux.SinceBoot().Microseconds(), 10)
	}
	writeJSON(t, reply{200, append(to, '}')})
}

func (s *Server) state(t stream.Stream, _ []byte, _ string) {
	if s.Box.Paused() {
		writeError(t, box.ErrPaused)
		return
	}
	writeJSON(t, reply{200, append(appendState(append(make([]byte, 0, 512), '{'), s.Box), '}')})
}

// appendState appends the members of an object that say what a box, or a container, has.
func appendState(to []byte, b *box.Box) []byte {
	to = append(to, `"spec":`...)
	if digest := b.Digest(); digest != "" {
		to = appendText(to, digest)
	} else {
		to = append(to, "null"...)
	}
	to = append(to, `,"processes":[`...)
	for index, h := range b.Processes() {
		to = appendReport(separate(to, index), h.Report())
	}
	return append(to, ']')
}

func (s *Server) takeSpec(body []byte) (reply, error) {
	digest, err := s.Box.TakeSpec(body)
	return specTaken(digest, err)
}

func specTaken(digest string, err error) (reply, error) {
	return reply{200, append(appendText([]byte(`{"spec":`), digest), '}')}, err
}

func (s *Server) powerOff(t stream.Stream, body []byte, _ string) {
	if len(body) > 0 {
		writeError(t, errBody)
		return
	}
	writeJSON(t, reply{status: 202})
	// The host learns of the guest's end by the VM's, so an answer that gets lost is no loss.
	s.end(t)
}

// timeToTake is how long a host may take to read an answer. A host that does not read does not keep
// a guest that should end.
const timeToTake = 10 * time.Second

// end ends the guest, once, as soon as the answer on a stream is written.
func (s *Server) end(t stream.Stream) {
	if s.Box.Stop() {
		endAfter(t.Flush, s.PowerOff)
	}
}

// endOnceClosed ends the guest, once, when the host has closed the connection of a stream. The
// answer is then read, or nobody is left to read it.
func (s *Server) endOnceClosed(t stream.Stream) {
	if s.Box.Stop() {
		endAfter(t.AwaitClose, s.PowerOff)
	}
}

// endAfter ends the guest after a wait for the host, which is bounded.
func endAfter(wait, end func()) {
	go func() {
		within(timeToTake, wait)
		end()
	}()
}

// within does something, and returns when it is done, or the time is over.
func within(limit time.Duration, do func()) {
	done := make(chan struct{})
	go func() {
		do()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

func parseSignal(text string) (syscall.Signal, error) {
	signal, ok := signals.Parse(text)
	if !ok {
		return 0, &strictjson.Error{Path: "signal", Reason: "is not a signal"}
	}
	return signal, nil
}
