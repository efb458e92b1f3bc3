package output

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
)

const (
	headerBytes     = 16
	maxPayloadBytes = 64 << 10
	ackBytes        = 8
)

// WriteFrames sends the output from an offset to its end as frames. Every frame is counted on `sent` before it is
// written, flushed before the next is awaited.
func (r *Ring) WriteFrames(ctx context.Context, offset uint64, sent *Sent, w io.Writer, flush func() error) error {
	frame := make([]byte, headerBytes+maxPayloadBytes)
	for {
		stream, n, err := r.Read(ctx, offset, frame[headerBytes:])
		if err != nil {
			return err
		}
		header(frame, stream, n, offset)
		offset += uint64(n)
		sent.advance(offset)
		if _, err := w.Write(frame[:headerBytes+n]); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
		if stream == end {
			return nil
		}
	}
}

func header(frame []byte, stream byte, length int, offset uint64) {
	binary.BigEndian.PutUint32(frame, uint32(stream)<<24)
	binary.BigEndian.PutUint32(frame[4:], uint32(length))
	binary.BigEndian.PutUint64(frame[8:], offset)
}

// ReadAcks takes the acknowledgements of a reader until it stops sending them.
// ErrOffset: one below an earlier one, or above what was sent to this reader, or half an offset at the end.
func (r *Ring) ReadAcks(sent *Sent, body io.Reader) error {
	var bytes [ackBytes]byte
	for {
		if _, err := io.ReadFull(body, bytes[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return ErrOffset
			}
			return err
		}
		offset := binary.BigEndian.Uint64(bytes[:])
		if offset > sent.offset() {
			return ErrOffset
		}
		if err := r.Acknowledge(offset); err != nil {
			return err
		}
	}
}
