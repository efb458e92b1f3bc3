package box

import (
	"errors"
	"time"
)

// Errors of guests that copies are made of.
var (
	// ErrAsleep is a guest that was prepared and not woken: it does nothing else before that.
	ErrAsleep = errors.New("the guest was prepared, and not woken yet")
	// ErrNotAsleep is a guest that was woken already, or never prepared.
	ErrNotAsleep = errors.New("the guest is not asleep")
	// ErrPrepared is a guest that cannot be prepared: it was already, or has a spec.
	ErrPrepared = errors.New("the guest was prepared already, or has a spec")
)

var errUnfinished = errors.New("this agent cannot be prepared")

// Prepare does all of a box's set-up that does not depend on its spec. After it, until Wake, every other verb fails with ErrAsleep.
func (b *Box) Prepare() error { return errUnfinished }

// Asleep says whether the guest was prepared and not woken.
func (b *Box) Asleep() bool { return false }

// Wake makes the copy of a prepared guest one of its own: random numbers, the time, and an id (a lower-case UUID).
func (b *Box) Wake(entropy []byte, now time.Time, machineID string) error { return ErrNotAsleep }

// Fork makes the copy of a guest whose main process runs one of its own: what Wake does, besides a new boot id, a host name,
// and the MAC address of eth0 where there is one (nil where there is none). Connections of the box end.
func (b *Box) Fork(entropy []byte, now time.Time, machineID, hostname string, mac *string) error {
	return errUnfinished
}
