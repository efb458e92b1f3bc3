package evidence

import (
	"errors"
	"time"
)

// ErrGone is a peer that did not wait for its turn.
var ErrGone = errors.New("the peer has gone")

// queue bounds how many callers wait for the processor.
type queue struct {
	rate  *Bucket
	slots chan struct{}
	// turn is held by the caller that is next. The others wait in the order they came. Nil: no
	// caller waits, and one that exceeds the rate is refused.
	turn chan struct{}
}

// enter waits for the caller's turn, and returns a function that gives up the slot.
func (q *queue) enter(gone <-chan struct{}) (leave func(), err error) {
	select {
	case q.slots <- struct{}{}:
	default:
		return nil, ErrTooMany
	}
	if err := q.await(gone); err != nil {
		<-q.slots
		return nil, err
	}
	return func() { <-q.slots }, nil
}

// enterIdle takes a slot if no other caller would have to wait, and returns a function that gives
// it up.
func (q *queue) enterIdle() (leave func(), err error) {
	select {
	case q.slots <- struct{}{}:
	default:
		return nil, ErrTooMany
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	default:
		<-q.slots
		return nil, ErrTooMany
	}
	if !q.rate.Take() {
		<-q.slots
		return nil, ErrTooMany
	}
	return func() { <-q.slots }, nil
}

// await waits until the rate permits a report. A stranger that asks for more than the rate delays
// others by at most as many turns as there are connections. It cannot have them refused, as it
// could if the first clients took all places.
func (q *queue) await(gone <-chan struct{}) error {
	if q.turn == nil {
		if !q.rate.Take() {
			return ErrTooMany
		}
		return nil
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-gone:
		return ErrGone
	}
	for {
		wait := q.rate.take()
		if wait == 0 {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-gone:
			return ErrGone
		}
	}
}
