package output

import (
	"encoding/binary"
	"sync/atomic"
)

const (
	headerBytes     = 16
	maxPayloadBytes = 64 << 10
	ackBytes        = 8
)

// Writer sends what follows the first `Room` bytes of data, which it may overwrite as it may the
// rest; `last`: nothing follows.
type Writer interface {
	Write(data []byte, last bool) error
}

// Reader is a client that the output of a process is sent to.
type Reader struct {
	ring *Ring
	// sent is how far its frames have come; its acknowledgements must not pass it.
	sent atomic.Uint64
	gone atomic.Bool
	// part has the bytes of an incomplete acknowledgement. Only the caller of Take uses it.
	part []byte
}

// NewReader reads from an offset on; ErrOffset for one that the ring does not hold.
func (r *Ring) NewReader(offset uint64) (*Reader, error) {
	if !r.holds(offset) {
		return nil, ErrOffset
	}
	reader := &Reader{ring: r, part: make([]byte, 0, ackBytes)}
	reader.sent.Store(offset)
	return reader, nil
}

// Leave ends WriteFrames.
func (r *Reader) Leave() {
	r.gone.Store(true)
	r.ring.interrupt()
}

// WriteFrames sends the output to its end as frames, as many at once as there are. `room` bytes are
// left before those that are written at once. It fails with ErrGone after Leave, ErrOffset when
// another reader let those bytes be forgotten, and with what the writer fails with.
func (r *Reader) WriteFrames(w Writer, room int) error {
	buffer := make([]byte, room+headerBytes+maxPayloadBytes)
	for {
		at := room
		last := false
		for wait := true; !last && len(buffer)-at > headerBytes; wait = false {
			offset := r.sent.Load()
			stream, n, err := r.ring.read(r, wait, offset, buffer[at+headerBytes:])
			if err != nil {
				return err
			}
			if stream == 0 {
				break
			}
			header(buffer[at:], stream, n, offset)
			at += headerBytes + n
			// Counted before it is written: an acknowledgement can come before the write returns.
			r.sent.Store(offset + uint64(n))
			last = stream == end
		}
		if err := w.Write(buffer[:at], last); err != nil || last {
			return err
		}
	}
}

func header(frame []byte, stream byte, length int, offset uint64) {
	binary.BigEndian.PutUint32(frame, uint32(stream)<<24)
	binary.BigEndian.PutUint32(frame[4:], uint32(length))
	binary.BigEndian.PutUint64(frame[8:], offset)
}

// Take takes a piece of the reader's acknowledgements, the last one included. ErrOffset: one below
// an earlier one, or above what was sent to this reader, or half an offset at the end.
func (r *Reader) Take(piece []byte, last bool) error {
	for len(piece) > 0 {
		n := min(ackBytes-len(r.part), len(piece))
		r.part, piece = append(r.part, piece[:n]...), piece[n:]
		if len(r.part) < ackBytes {
			break
		}
		offset := binary.BigEndian.Uint64(r.part)
		r.part = r.part[:0]
		if offset > r.sent.Load() {
			return ErrOffset
		}
		if err := r.ring.Acknowledge(offset); err != nil {
			return err
		}
	}
	if last && len(r.part) > 0 {
		return ErrOffset
	}
	return nil
}
