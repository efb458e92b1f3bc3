//go:build !race

package ratls

import "time"

// within is when a relying party has to be done.
const within = 5 * time.Second
