// Package output keeps what a process wrote until the host has made it durable.
package output

import (
	"errors"
	"sync"
)

// Capacity bounds the bytes that a ring keeps: a process that is that far ahead of the host waits.
const Capacity = 1 << 20

// maxRuns bounds the bookkeeping of a process that alternates between its two streams byte by byte.
const maxRuns = 16384

// Streams of a process.
const (
	Stdout byte = 1
	Stderr byte = 2
	end    byte = 3
)

// ErrOffset is an offset that is no longer, or not yet, in the ring.
var ErrOffset = errors.New("offset is not in the output")

// ErrGone is the end of a wait whose reader has left.
var ErrGone = errors.New("gone")

// run is a stretch of bytes of one stream.
type run struct {
	stream byte
	length uint64
}

// Ring is the output of one process: one sequence of bytes with offsets from 0.
type Ring struct {
	mu sync.Mutex
	// bytes holds the offsets [acknowledged, written) at index offset modulo its length, which
	// grows up to Capacity.
	bytes        []byte
	runs         []run
	acknowledged uint64
	written      uint64
	ended        bool
	discarded    bool
	// changed wakes the goroutines that wait for a change.
	changed *sync.Cond
}

// New makes an empty ring.
func New() *Ring {
	r := &Ring{}
	r.changed = sync.NewCond(&r.mu)
	return r
}

// Write appends bytes of a stream, and waits for room as long as it takes.
func (r *Ring) Write(stream byte, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(data) > 0 && !r.discarded {
		n := r.append(stream, data)
		if n == 0 {
			r.changed.Wait()
			continue
		}
		data = data[n:]
		r.changed.Broadcast()
	}
}

// Discard drops the output held now and all later output: it has no reader, so nothing would make
// room for it.
func (r *Ring) Discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discarded = true
	clear(r.bytes)
	r.bytes, r.runs, r.written = nil, nil, r.acknowledged
	r.changed.Broadcast()
}

// append takes as much as there is room for.
func (r *Ring) append(stream byte, data []byte) int {
	same := len(r.runs) > 0 && r.runs[len(r.runs)-1].stream == stream
	if !same && len(r.runs) == maxRuns {
		return 0
	}
	kept := r.written - r.acknowledged
	n := min(len(data), int(Capacity-kept))
	if n == 0 {
		return 0
	}
	r.grow(int(kept) + n)
	r.copyIn(r.written, data[:n])
	r.written += uint64(n)
	if same {
		r.runs[len(r.runs)-1].length += uint64(n)
	} else {
		r.runs = append(r.runs, run{stream, uint64(n)})
	}
	return n
}

func (r *Ring) grow(need int) {
	if need <= len(r.bytes) {
		return
	}
	size := max(4096, len(r.bytes))
	for size < need {
		size *= 2
	}
	old := make([]byte, r.written-r.acknowledged)
	r.copyOut(r.acknowledged, old)
	r.bytes = make([]byte, size)
	r.copyIn(r.acknowledged, old)
}

func (r *Ring) copyIn(offset uint64, data []byte) {
	for len(data) > 0 {
		n := copy(r.bytes[offset%uint64(len(r.bytes)):], data)
		data, offset = data[n:], offset+uint64(n)
	}
}

func (r *Ring) copyOut(offset uint64, data []byte) {
	for len(data) > 0 {
		n := copy(data, r.bytes[offset%uint64(len(r.bytes)):])
		data, offset = data[n:], offset+uint64(n)
	}
}

// End says that nothing follows.
func (r *Ring) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.changed.Broadcast()
}

// Position says how much was written, and how much of that the host keeps.
func (r *Ring) Position() (written, acknowledged uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written, r.acknowledged
}

// holds says whether a reader may start at an offset.
func (r *Ring) holds(offset uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return offset >= r.acknowledged && offset <= r.written
}

// Acknowledge forgets everything below an offset. One below an earlier one is ErrOffset.
func (r *Ring) Acknowledge(offset uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset < r.acknowledged || offset > r.written {
		return ErrOffset
	}
	forget := offset - r.acknowledged
	for forget > 0 {
		first := &r.runs[0]
		if first.length > forget {
			first.length -= forget
			break
		}
		forget -= first.length
		r.runs = r.runs[1:]
	}
	r.acknowledged = offset
	r.changed.Broadcast()
	return nil
}

// read copies output at an offset of one stream; stream 3 is the end. Without output it waits while
// the reader is connected; when the reader has left it returns stream 0.
func (r *Ring) read(reader *Reader, wait bool, offset uint64, data []byte) (stream byte, n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		stream, n, err = r.peek(offset, data)
		switch {
		case stream != 0 || err != nil || !wait:
			return stream, n, err
		case reader.gone.Load():
			return 0, 0, ErrGone
		}
		r.changed.Wait()
	}
}

// interrupt has readers look whether they have left.
func (r *Ring) interrupt() {
	// With the lock held, no reader is between its look and its wait.
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed.Broadcast()
}

// peek returns stream 0 when there is no output yet.
func (r *Ring) peek(offset uint64, data []byte) (byte, int, error) {
	if offset < r.acknowledged || offset > r.written {
		return 0, 0, ErrOffset
	}
	if offset == r.written {
		if r.ended {
			return end, 0, nil
		}
		return 0, 0, nil
	}
	start := r.acknowledged
	for _, run := range r.runs {
		if offset < start+run.length {
			n := int(min(uint64(len(data)), start+run.length-offset))
			r.copyOut(offset, data[:n])
			return run.stream, n, nil
		}
		start += run.length
	}
	return 0, 0, ErrOffset
}
