//go:build !race

package ratls

import "time"

const (
	// within is when a relying party has to be done.
	within = 5 * time.Second
	// arrival is how often the stranger opens a connection.
	arrival = time.Second / 30
)
