//go:build race

package ratls

import "time"

const (
	// within is when a relying party has to be done: the race detector makes its handshakes ten
	// times as slow, on one machine, beside other tests.
	within = time.Minute
	// arrival is how often the stranger opens a connection: with as many as without the race
	// detector, the handshakes alone would take all processors.
	arrival = time.Second / 3
)
