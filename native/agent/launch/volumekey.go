package launch

import (
	"context"
	"net/http"
	"time"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/sealedvolume"
)

// Codes of a volume whose key does not come; those of the host are the same.
const (
	codeKeyRefused    = "volume-key-refused"
	codeKeyNotFetched = "volume-key-not-fetched"
)

// keyFetch is a box that is being made: its volumes are opened with keys of the broker.
type keyFetch struct {
	relay *kbs.Relay
	done  chan struct{}
}

// Reaching is closed once the guest connects to its broker while it takes its launch spec.
func (l *Launch) Reaching() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reachedBy()
}

// reachedBy is called with the lock.
func (l *Launch) reachedBy() chan struct{} {
	if l.reached == nil {
		l.reached = make(chan struct{})
	}
	return l.reached
}

// reaching has the host carry connections to the broker until the returned function is called. It
// does nothing for a launch spec without such volumes.
func (l *Launch) reaching(spec *launchspec.Spec, services *Services) (end func()) {
	if spec.Keyed() == 0 {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &keyFetch{services.Relay, make(chan struct{})}
	l.opening = o
	if reached := l.reachedBy(); !isClosed(reached) {
		close(reached)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.opening = nil
		close(o.done)
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// volumeKey fetches the key of a volume, again and again until the broker refuses or the deadline
// of secrets is over. The caller overwrites it.
func (l *Launch) volumeKey(broker Broker, v *launchspec.Volume, deadline time.Time) (*sealedvolume.Keyed, error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	counter := ""
	if v.Counter != nil {
		counter = *v.Counter
	}
	first := l.firstPause
	if first == 0 {
		first = firstPause
	}
	for pause := first; ; pause = min(2*pause, max(lastPause, first)) {
		keyed, err := broker.VolumeKey(ctx, *v.Key, counter)
		if err == nil {
			return keyed, nil
		}
		if isFinal(err) {
			return nil, keyRefusal(codeKeyRefused, "its key was refused: ", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, keyRefusal(codeKeyNotFetched, "its key did not come in time: ", err)
		}
	}
}

// keyRefusal has the broker's code, and nothing else of its answer: the host reads it.
func keyRefusal(code, words string, err error) error {
	return &jsonapi.Error{Code: code, Message: words + describe(err), Status: http.StatusForbidden}
}
