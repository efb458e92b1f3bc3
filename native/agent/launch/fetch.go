package launch

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/server"
)

// Pauses between attempts to fetch secrets: each is twice the one before.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// Broker is the secret broker of the launch spec.
type Broker interface {
	// Fetch hands over each resource, and ends with the first error.
	Fetch(ctx context.Context, resources []string, take func(resource string, value []byte) error) error
}

// fetch fetches the secrets of one box.
type fetch struct {
	store   *secrets.Store
	secrets []launchspec.Secret
	broker  Broker
	pause   time.Duration

	mu  sync.Mutex
	err error
}

// fetch fetches in the background until all has come, is refused, or is not waited for any more.
// It is nil for a launch spec without a broker.
func (l *Launch) fetch(born *Born, ended <-chan struct{}) *fetch {
	l.mu.Lock()
	services := l.services
	l.mu.Unlock()
	if born.Spec.Broker == nil {
		return nil
	}
	f := &fetch{store: born.Secrets, broker: services.Broker, pause: l.firstPause}
	if f.pause == 0 {
		f.pause = firstPause
	}
	for _, secret := range born.Spec.Secrets {
		if secret.Resource != nil {
			f.secrets = append(f.secrets, secret)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		select {
		case <-ended:
		case <-f.store.Done():
		}
	}()
	go f.run(ctx)
	return f
}

func (f *fetch) run(ctx context.Context) {
	for pause := f.pause; ; pause = min(2*pause, max(lastPause, f.pause)) {
		err := f.broker.Fetch(ctx, f.missing(), f.deliver)
		if err == nil || ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
		if isFinal(err) {
			f.store.Refuse()
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// missing are the paths of what has not come, each once.
func (f *fetch) missing() []string {
	delivered := map[string]bool{}
	for _, secret := range f.store.Status().Secrets {
		delivered[secret.Name] = secret.Delivered
	}
	var paths []string
	for _, secret := range f.secrets {
		if !delivered[secret.Name] && !slices.Contains(paths, *secret.Resource) {
			paths = append(paths, *secret.Resource)
		}
	}
	return paths
}

// deliver gives a value to each secret that it is of.
func (f *fetch) deliver(resource string, value []byte) error {
	for _, secret := range f.secrets {
		if *secret.Resource != resource {
			continue
		}
		if err := f.store.Deliver(secret.Name, value); err != nil && !errors.Is(err, secrets.ErrDelivered) {
			return err
		}
	}
	return nil
}

// isFinal says whether another attempt would end alike.
func isFinal(err error) bool {
	var refusal *kbs.Refusal
	if errors.As(err, &refusal) {
		return refusal.Final()
	}
	return errors.Is(err, secrets.ErrTooLarge) || errors.Is(err, secrets.ErrNUL)
}

// reason is why the secrets did not come. The host reads it: it has the broker's code, and nothing
// else of what anybody sent.
func (f *fetch) reason(state secrets.State) *process.ExitError {
	f.mu.Lock()
	defer f.mu.Unlock()
	code, message := process.SecretsNotFetched, "the secrets did not come in time: "
	if state == secrets.Refused {
		code, message = process.SecretRefused, "the secret was refused: "
	}
	return &process.ExitError{Code: code, Message: message + describe(f.err)}
}

// describable are errors whose text is the agent's own.
var describable = []error{kbs.ErrKey, kbs.ErrAnswer, kbs.ErrEvidence, secrets.ErrTooLarge, secrets.ErrNUL}

func describe(err error) string {
	var refusal *kbs.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal.Error()
	case err == nil:
		return "the broker was not asked"
	}
	for _, known := range describable {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the broker cannot be reached"
}

// BrokerConnection waits until the agent connects to its broker, and returns the host's end.
func (l *Launch) BrokerConnection(gone <-chan struct{}) (net.Conn, error) {
	l.mu.Lock()
	born, services := l.born, l.services
	l.mu.Unlock()
	if born == nil {
		return nil, box.ErrSpecMissing
	}
	if born.Spec.Broker != nil {
		if conn, ok := services.Relay.Await(gone, born.Secrets.Done()); ok {
			return conn, nil
		}
	}
	return nil, &server.Error{Code: "conflict", Message: "the guest has nothing to fetch from a broker"}
}
