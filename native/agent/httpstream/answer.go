package httpstream

import (
	"net/http"
	"time"

	"a3s.dev/box/agent/stream"
)

// answer waits for the answer, and returns when package http has it.
func (t *request) answer() {
	defer func() {
		t.endsBefore, _ = t.conn.endsSoFar()
		close(t.gone)
	}()
	for {
		whole, ended, aborted := t.state()
		switch {
		case aborted:
			t.abort()
		case ended:
			// The goroutine that has written the last piece has released the writer then.
			t.writing.Lock()
			defer t.writing.Unlock()
			return
		case whole:
			t.write()
			t.end(false)
		default:
			t.begin()
			<-t.changed
		}
	}
}

func (t *request) state() (whole, ended, aborted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.complete, t.ended, t.aborted
}

// abort has package http reset the stream. A write that waits for the client ends before.
func (t *request) abort() {
	// The stream may have ended on its own.
	_ = http.NewResponseController(t.writer).SetWriteDeadline(time.Now())
	t.writing.Lock()
	defer t.writing.Unlock()
	panic(http.ErrAbortHandler)
}

// write gives a whole answer. Whether it reaches the client is of no concern: it asks again.
func (t *request) write() {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.sendHead() == nil {
		_, _ = t.writer.Write(t.document)
	}
}

// begin gives the headers of an answer whose body follows.
func (t *request) begin() {
	// Who writes already gives them first.
	if !t.writing.TryLock() {
		return
	}
	defer t.writing.Unlock()
	if t.sendHead() == nil {
		_ = http.NewResponseController(t.writer).Flush()
	}
}

// sendHead gives the writer the headers of the answer, once; the caller holds it.
func (t *request) sendHead() error {
	t.mu.Lock()
	status, kind, ended := t.status, t.kind, t.ended
	t.mu.Unlock()
	if ended || status == 0 {
		return stream.ErrEnded
	}
	if t.headersSent {
		return nil
	}
	t.headersSent = true
	header := t.writer.Header()
	// Nil keeps package http from adding its own: the clock of the guest is no concern of the host.
	header["Date"] = nil
	header["Content-Type"] = nil
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	t.writer.WriteHeader(status)
	return nil
}
