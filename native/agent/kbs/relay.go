package kbs

import (
	"context"
	"net"
)

// Relay is the guest's way to its broker: the host opens streams in advance, and connects one to
// the broker when the guest takes it. So a guest without a network has it too, and so does one
// whose workload has the network for itself.
type Relay struct{ wanted chan net.Conn }

// NewRelay makes one.
func NewRelay() *Relay { return &Relay{make(chan net.Conn)} }

// Dial takes a stream that the host has opened, or waits for one.
func (r *Relay) Dial(ctx context.Context) (net.Conn, error) {
	// Unlike a stream, a pipe has deadlines.
	ours, theirs := net.Pipe()
	select {
	case r.wanted <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Await returns the end of a connection that the host is to carry. It returns false once one of the
// channels is closed.
func (r *Relay) Await(gone, over <-chan struct{}) (net.Conn, bool) {
	select {
	case conn := <-r.wanted:
		return conn, true
	case <-gone:
	case <-over:
	}
	return nil, false
}
