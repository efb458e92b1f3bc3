package launch

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
)

// refresh fetches secrets of a running box again. Whatever goes wrong, a secret stays as it is and
// is fetched again the next time: the broker decides about new values, and takes none back.
type refresh struct {
	store  *secrets.Store
	broker Broker
	report func(message string)
	second time.Duration
	due    []due
}

// due is a secret, and when it is fetched next.
type due struct {
	secret launchspec.Secret
	at     time.Time
}

// refreshing is nil where the launch spec has nothing that is fetched again.
func (l *Launch) refreshing() *refresh {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.born.Spec.Refreshes() {
		return nil
	}
	r := &refresh{store: l.born.Secrets, broker: l.services.Broker, report: l.Report, second: l.second}
	if r.second == 0 {
		r.second = time.Second
	}
	now := time.Now()
	for _, secret := range l.born.Spec.Secrets {
		if secret.Refresh != nil {
			r.due = append(r.due, due{secret, now.Add(r.pauseOf(secret))})
		}
	}
	return r
}

// pauseOf is up to a tenth shorter than the launch spec has it: boxes that were started together do
// not ask their broker together.
func (r *refresh) pauseOf(secret launchspec.Secret) time.Duration {
	pause := time.Duration(*secret.Refresh) * r.second
	return pause - rand.N(pause/10+1)
}

// run returns when the main process has ended.
func (r *refresh) run(ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-ended
		cancel()
	}()
	for {
		next := slices.MinFunc(r.due, func(a, b due) int { return a.at.Compare(b.at) })
		select {
		case <-time.After(time.Until(next.at)):
		case <-ctx.Done():
			return
		}
		if err := r.fetch(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.report("a3s-agent: refresh secrets: " + describe(err))
		}
	}
}

// fetch fetches what is due, each path once.
func (r *refresh) fetch(ctx context.Context, now time.Time) error {
	var paths []string
	for index := range r.due {
		each := &r.due[index]
		if each.at.After(now) {
			continue
		}
		each.at = now.Add(r.pauseOf(each.secret))
		if !slices.Contains(paths, *each.secret.Resource) {
			paths = append(paths, *each.secret.Resource)
		}
	}
	// A path that is refused keeps none of the others from being fetched.
	var failed error
	for _, path := range paths {
		failed = errors.Join(failed, r.broker.Fetch(ctx, []string{path}, r.replace))
	}
	return failed
}

// replace gives a value to each secret that it is of, due or not.
func (r *refresh) replace(resource string, value []byte) error {
	var failed error
	for _, each := range r.due {
		if *each.secret.Resource == resource {
			_, err := r.store.Refresh(each.secret.Name, value)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
