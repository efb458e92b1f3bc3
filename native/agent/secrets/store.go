// Package secrets holds what a box waits for: each secret of its launch spec is delivered once,
// handed to the main process before that starts, and overwritten when the box ends. Who may deliver
// one is for the caller to see to.
package secrets

import (
	"errors"
	"sync"
	"time"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

// MaxValue bounds a secret.
const MaxValue = 64 << 10

// State is how far a box is with its secrets.
type State string

// States. A box without secrets stays in None; others go from Waiting to one of the last two, and
// stay there.
const (
	None    State = "none"
	Waiting State = "waiting"
	Ready   State = "ready"
	Expired State = "expired"
)

// Errors of a delivery.
var (
	ErrUnknown   = errors.New("the launch spec has no such secret")
	ErrDelivered = errors.New("the secret was delivered already")
	ErrExpired   = errors.New("the box does not wait for secrets any more")
	ErrTooLarge  = errors.New("the secret is larger than 65536 bytes")
	ErrNUL       = errors.New("the secret holds a NUL byte, which no environment variable can")
)

// Store holds the secrets of one box. Its methods can be called by several goroutines at once.
type Store struct {
	mu      sync.Mutex
	entries []entry
	state   State
	// version counts changes, and changed is closed at the next one.
	version int64
	changed chan struct{}
	// done is closed once nothing is waited for.
	done     chan struct{}
	deadline time.Time
	timer    *time.Timer
	ended    bool
	files    *Files
	// owner is of the files.
	owner users.User
	// held is a box that waits for something else besides; see NewHeldStore.
	held bool
}

type entry struct {
	secret launchspec.Secret
	// value is nil before the delivery, and after it was handed over.
	value     []byte
	delivered bool
}

// Status is public.
type Status struct {
	Version int64
	State   State
	// Deadline is zero for a box that waits for nothing and never did.
	Deadline time.Time
	Secrets  []SecretStatus
}

// SecretStatus is a secret without its value.
type SecretStatus struct {
	Name             string
	AllowAnyInjector bool
	Delivered        bool
}

// NewStore makes a store in which nothing is yet. The time that the box waits begins.
func NewStore(secrets []launchspec.Secret, wait time.Duration) *Store {
	return newStore(secrets, wait, false)
}

// NewHeldStore makes a store of a box that waits until Release is called, whatever secrets it has.
func NewHeldStore(secrets []launchspec.Secret, wait time.Duration) *Store {
	return newStore(secrets, wait, true)
}

func newStore(secrets []launchspec.Secret, wait time.Duration, held bool) *Store {
	s := &Store{state: None, version: 1, changed: make(chan struct{}), done: make(chan struct{}), held: held}
	for _, secret := range secrets {
		s.entries = append(s.entries, entry{secret: secret})
	}
	if len(s.entries) == 0 && !held {
		close(s.done)
		return s
	}
	// The timer may go off before this returns.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = Waiting
	s.deadline = time.Now().Add(wait)
	s.timer = time.AfterFunc(wait, s.expire)
	return s
}

// Secret returns the launch spec's entry for a secret.
func (s *Store) Secret(name string) (launchspec.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.find(name)
	if entry == nil {
		return launchspec.Secret{}, ErrUnknown
	}
	return entry.secret, nil
}

// Deliver keeps a copy of a secret's value. Of several deliveries of one secret one succeeds, also
// when their values are equal.
func (s *Store) Deliver(name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.find(name)
	switch {
	case entry == nil:
		return ErrUnknown
	case entry.delivered:
		return ErrDelivered
	case s.state != Waiting || s.ended:
		return ErrExpired
	}
	if err := entry.check(value); err != nil {
		return err
	}
	entry.value = append(make([]byte, 0, len(value)), value...)
	entry.delivered = true
	if !s.finishIfReady() {
		s.change()
	}
	return nil
}

// Release ends what a held store waits for besides its secrets.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if s.state == Waiting && !s.ended {
		s.finishIfReady()
	}
}

// finishIfReady ends the wait where everything has come; the caller holds the lock.
func (s *Store) finishIfReady() bool {
	if s.held {
		return false
	}
	for _, entry := range s.entries {
		if !entry.delivered {
			return false
		}
	}
	s.finish(Ready)
	return true
}

func (e *entry) check(value []byte) error {
	if len(value) > MaxValue {
		return ErrTooLarge
	}
	if e.secret.Target.Kind == launchspec.TargetEnv {
		for _, octet := range value {
			if octet == 0 {
				return ErrNUL
			}
		}
	}
	return nil
}

func (s *Store) find(name string) *entry {
	for index := range s.entries {
		if s.entries[index].secret.Name == name {
			return &s.entries[index]
		}
	}
	return nil
}

func (s *Store) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Waiting || s.ended {
		return
	}
	// What came too early for the rest is of no use to anybody.
	s.forget()
	s.finish(Expired)
}

// finish ends the wait; the caller holds the lock.
func (s *Store) finish(state State) {
	s.state = state
	s.timer.Stop()
	close(s.done)
	s.change()
}

func (s *Store) change() {
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Done is closed once nothing is waited for: Status says why.
func (s *Store) Done() <-chan struct{} { return s.done }

// Status is the present one.
func (s *Store) Status() Status {
	status, _ := s.look()
	return status
}

// Await returns when the version is not the seen one, or when done is closed.
func (s *Store) Await(done <-chan struct{}, seen int64) Status {
	for {
		status, changed := s.look()
		if status.Version != seen {
			return status
		}
		select {
		case <-changed:
		case <-done:
			return status
		}
	}
}

func (s *Store) look() (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{s.version, s.state, s.deadline, make([]SecretStatus, 0, len(s.entries))}
	for _, entry := range s.entries {
		status.Secrets = append(status.Secrets, SecretStatus{entry.secret.Name, entry.secret.AllowAnyInjector, entry.delivered})
	}
	return status, s.changed
}
