package evidence

import (
	"errors"
	"sync"
	"time"
)

// ErrTooMany says that the guest makes no more reports for now: its only secure processor is slow.
var ErrTooMany = errors.New("too many reports are asked for; ask again later")

// Bucket lets so many through at once, and then some each second.
type Bucket struct {
	size, perSecond float64
	now             func() time.Time

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// NewBucket makes a full bucket.
func NewBucket(size, perSecond float64) *Bucket { return newBucket(size, perSecond, time.Now) }

func newBucket(size, perSecond float64, now func() time.Time) *Bucket {
	return &Bucket{size: size, perSecond: perSecond, now: now, tokens: size, filled: now()}
}

// Take says whether there was one left.
func (b *Bucket) Take() bool { return b.take() == 0 }

// take returns 0 when a report is available, and otherwise the time until one is.
func (b *Bucket) take() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.tokens = min(b.size, b.tokens+now.Sub(b.filled).Seconds()*b.perSecond)
	b.filled = now
	if b.tokens < 1 {
		return max(1, time.Duration((1-b.tokens)/b.perSecond*float64(time.Second)))
	}
	b.tokens--
	return 0
}
