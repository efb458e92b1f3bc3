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
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/server"
)

// Pauses between attempts to fetch secrets: each is twice the one before.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// errNotOpen is a volume of the launch spec that is to be counted, and that was not opened.
var errNotOpen = errors.New("a sealed volume of the launch spec is not open")

// Broker is the secret broker of the launch spec.
type Broker interface {
	// Fetch hands over each resource, and ends with the first error.
	Fetch(ctx context.Context, resources []string, take func(resource string, value []byte) error) error
	// VolumeKey fetches the key of a volume; an empty counter stands for none.
	VolumeKey(ctx context.Context, path, counter string) (*sealedvolume.Keyed, error)
	// Count advances the counters of volumes.
	Count(ctx context.Context, volumes []kbs.Counted) error
}

// fetch fetches the secrets of one box.
type fetch struct {
	store   *secrets.Store
	secrets []launchspec.Secret
	broker  Broker
	pause   time.Duration
	// volumes are counted first: a box whose disk is an old one gets no secret.
	volumes []kbs.Counted
	// wanted is how many volumes the launch spec has to be counted.
	wanted int

	mu  sync.Mutex
	err error
	// isCounted says that the broker has confirmed all volumes.
	isCounted bool
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
	f := &fetch{
		store: born.Secrets, broker: services.Broker, pause: l.firstPause, volumes: born.counted(),
	}
	f.wanted = born.Spec.Counted()
	f.isCounted = f.wanted == 0
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
		err := f.attempt(ctx)
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

func (f *fetch) attempt(ctx context.Context) error {
	if !f.counted() {
		if len(f.volumes) != f.wanted {
			return errNotOpen
		}
		if err := f.broker.Count(ctx, f.volumes); err != nil {
			return err
		}
		f.mu.Lock()
		f.isCounted = true
		f.mu.Unlock()
		f.store.Release()
	}
	if paths := f.missing(); len(paths) > 0 {
		return f.broker.Fetch(ctx, paths, f.deliver)
	}
	return nil
}

func (f *fetch) counted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isCounted
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
	return errors.Is(err, secrets.ErrTooLarge) || errors.Is(err, secrets.ErrNUL) || isOldDisk(err) ||
		errors.Is(err, kbs.ErrBehind) || errors.Is(err, kbs.ErrKind) || errors.Is(err, errNotOpen)
}

// isOldDisk says whether the disk of a volume is not the one that the broker counted last.
func isOldDisk(err error) bool {
	return errors.Is(err, kbs.ErrRolledBack) || errors.Is(err, kbs.ErrOther)
}

// reason is why the secrets did not come. The host reads it: it has the broker's code, and nothing
// else of what anybody sent.
func (f *fetch) reason(state secrets.State) *process.ExitError {
	f.mu.Lock()
	defer f.mu.Unlock()
	code, message := process.SecretsNotFetched, "the secrets did not come in time: "
	switch {
	case isOldDisk(f.err):
		code, message = process.VolumeRolledBack, "a sealed volume was refused: "
	case !f.isCounted:
		code, message = process.VolumeNotCounted, "the generation of a sealed volume was not confirmed: "
	case state == secrets.Refused:
		code, message = process.SecretRefused, "the secret was refused: "
	}
	return &process.ExitError{Code: code, Message: message + describe(f.err)}
}

// describable are errors whose text is the agent's own.
var describable = []error{
	kbs.ErrKey, kbs.ErrAnswer, kbs.ErrKind, kbs.ErrEvidence, kbs.ErrRolledBack, kbs.ErrOther, kbs.ErrBehind, kbs.ErrDisk, errNotOpen,
	secrets.ErrTooLarge, secrets.ErrNUL,
}

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
	born, services, opening := l.born, l.services, l.opening
	l.mu.Unlock()
	if opening != nil {
		if conn, ok := opening.relay.Await(gone, opening.done); ok {
			return conn, nil
		}
		return nil, errNothingToFetch
	}
	if born == nil {
		return nil, box.ErrSpecMissing
	}
	if born.Spec.Broker != nil {
		over := born.Secrets.Done()
		if born.Spec.Refreshes() || born.Spec.GivesTokens() {
			// The agent may connect for as long as the guest runs.
			over = nil
		}
		if conn, ok := services.Relay.Await(gone, over); ok {
			return conn, nil
		}
	}
	return nil, errNothingToFetch
}

var errNothingToFetch = &server.Error{Code: "conflict", Message: "the guest has nothing to fetch from a broker"}
