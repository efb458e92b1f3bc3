package output

import "sync/atomic"

// Sent is how far a reader's frames have come; its acknowledgements must not pass it.
type Sent struct{ value atomic.Uint64 }

// SentFrom starts at the offset that the reader asked for.
func SentFrom(offset uint64) *Sent {
	sent := &Sent{}
	sent.value.Store(offset)
	return sent
}

func (s *Sent) advance(offset uint64) { s.value.Store(offset) }
func (s *Sent) offset() uint64        { return s.value.Load() }
