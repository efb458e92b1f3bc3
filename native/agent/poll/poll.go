// Package poll waits for what the kernel announces by no event.
package poll

import (
	"errors"
	"os"
	"time"
)

// Interval is the time between two looks.
const Interval = 5 * time.Millisecond

var errDeadline = errors.New("did not end in time")

// Until calls done until it returns true or an error, or the limit is over. The error of that names
// operation and object.
func Until(limit time.Duration, operation, object string, done func() (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(Interval) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return &os.PathError{Op: operation, Path: object, Err: errDeadline}
		}
	}
}
