//go:build race

package ratls

import "time"

// within is when a relying party has to be done: the race detector makes its handshakes and the strangers' ten times as
// slow, on one machine, beside other tests.
const within = time.Minute
