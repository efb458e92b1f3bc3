package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

func file(name string) launchspec.Secret {
	return launchspec.Secret{Name: name, AllowAnyInjector: true, Target: launchspec.SecretTarget{Kind: launchspec.TargetFile}}
}

func variable(name, variable string) launchspec.Secret {
	return launchspec.Secret{Name: name, Injectors: []string{"00"}, Target: launchspec.SecretTarget{Kind: launchspec.TargetEnv, Variable: &variable}}
}

func expect(t *testing.T, s *Store, state State, delivered ...string) {
	t.Helper()
	status := s.Status()
	var got []string
	for _, secret := range status.Secrets {
		if secret.Delivered {
			got = append(got, secret.Name)
		}
	}
	if status.State != state || strings.Join(got, " ") != strings.Join(delivered, " ") {
		t.Errorf("got %+v, want %s with %v", status, state, delivered)
	}
}

func deliver(t *testing.T, s *Store, name, value string, want error) {
	t.Helper()
	if err := s.Deliver(name, []byte(value)); !errors.Is(err, want) {
		t.Errorf("delivering %s: got %v, want %v", name, err, want)
	}
}

func TestABoxWithoutSecretsWaitsForNothing(t *testing.T) {
	s := NewStore(nil, time.Nanosecond)
	<-s.Done()
	expect(t, s, None)
	if !s.Status().Deadline.IsZero() {
		t.Error("it has a deadline")
	}
	deliver(t, s, "a", "x", ErrUnknown)
	if environment, err := s.HandOver(nil, users.User{}); environment != nil || err != nil {
		t.Errorf("got %v, %v", environment, err)
	}
	if err := s.Wipe(); err != nil {
		t.Error(err)
	}
}

func TestASecretIsDeliveredOnce(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a"), file("b")}, time.Hour)
	expect(t, s, Waiting)
	deliver(t, s, "c", "x", ErrUnknown)
	deliver(t, s, "a", "x", nil)
	deliver(t, s, "a", "x", ErrDelivered)
	deliver(t, s, "a", "y", ErrDelivered)
	expect(t, s, Waiting, "a")
	select {
	case <-s.Done():
		t.Error("the store is complete with one secret of two")
	default:
	}
	deliver(t, s, "b", "", nil)
	<-s.Done()
	expect(t, s, Ready, "a", "b")
	deliver(t, s, "b", "", ErrDelivered)
}

func TestOneOfManyDeliveriesSucceeds(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A")}, time.Hour)
	var group sync.WaitGroup
	succeeded := make(chan string, 32)
	for index := range 32 {
		group.Add(1)
		go func() {
			defer group.Done()
			value := fmt.Sprint(index)
			if s.Deliver("a", []byte(value)) == nil {
				succeeded <- value
			}
		}()
	}
	group.Wait()
	if len(succeeded) != 1 {
		t.Fatalf("%d succeeded", len(succeeded))
	}
	environment, err := s.HandOver(nil, users.User{})
	if want := "A=" + <-succeeded; err != nil || len(environment) != 1 || environment[0] != want {
		t.Errorf("got %v, %v; want %s", environment, err, want)
	}
}

func TestAValueThatIsRefusedCanBeDeliveredRight(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A"), file("b")}, time.Hour)
	deliver(t, s, "a", "x\x00", ErrNUL)
	deliver(t, s, "a", strings.Repeat("x", MaxValue+1), ErrTooLarge)
	expect(t, s, Waiting)
	deliver(t, s, "a", strings.Repeat("x", MaxValue), nil)
	deliver(t, s, "b", "\x00", nil)
	expect(t, s, Ready, "a", "b")
}

func TestTheDeadlineEndsTheWait(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a"), file("b")}, time.Millisecond)
	<-s.Done()
	expect(t, s, Expired)
	deliver(t, s, "a", "x", ErrExpired)
	if _, err := s.HandOver(nil, users.User{}); !errors.Is(err, ErrNotReady) {
		t.Errorf("got %v", err)
	}
}

func TestADeadlineThatPassesLaterChangesNothing(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a")}, time.Hour)
	deliver(t, s, "a", "x", nil)
	s.expire()
	expect(t, s, Ready, "a")
}

func TestWhatCameBeforeTheDeadlineIsOverwritten(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a"), file("b")}, time.Hour)
	deliver(t, s, "a", "secret", nil)
	value := s.entries[0].value
	s.expire()
	if !bytes.Equal(value, make([]byte, len("secret"))) {
		t.Errorf("still there: %q", value)
	}
}

func TestAwaitAnswersAtAChange(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a")}, time.Hour)
	first := s.Await(nil, 0)
	if first.Version == 0 || first.State != Waiting {
		t.Fatalf("got %+v", first)
	}
	next := make(chan Status)
	go func() { next <- s.Await(nil, first.Version) }()
	deliver(t, s, "a", "x", nil)
	if got := <-next; got.Version == first.Version || got.State != Ready {
		t.Errorf("got %+v", got)
	}
	done := make(chan struct{})
	close(done)
	now := s.Status()
	if got := s.Await(done, now.Version); got.Version != now.Version {
		t.Errorf("got %+v", got)
	}
}

func TestTheCallersCopyIsItsOwn(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A")}, time.Hour)
	value := []byte("secret")
	if err := s.Deliver("a", value); err != nil {
		t.Fatal(err)
	}
	clear(value)
	environment, err := s.HandOver(nil, users.User{})
	if err != nil || environment[0] != "A=secret" {
		t.Errorf("got %v, %v", environment, err)
	}
}

func TestNothingIsHandedOverBeforeAllIsThere(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A"), variable("b", "B")}, time.Hour)
	deliver(t, s, "a", "x", nil)
	if environment, err := s.HandOver(nil, users.User{}); environment != nil || !errors.Is(err, ErrNotReady) {
		t.Errorf("got %v, %v", environment, err)
	}
}

func TestWhatIsHandedOverIsNotKept(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A")}, time.Hour)
	deliver(t, s, "a", "secret", nil)
	value := s.entries[0].value
	if _, err := s.HandOver(nil, users.User{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(value, make([]byte, len("secret"))) || s.entries[0].value != nil {
		t.Errorf("still there: %q", value)
	}
}

func TestNothingIsDeliveredToABoxThatHasEnded(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a"), file("b")}, time.Hour)
	deliver(t, s, "a", "secret", nil)
	value := s.entries[0].value
	if err := s.Wipe(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(value, make([]byte, len("secret"))) {
		t.Errorf("still there: %q", value)
	}
	deliver(t, s, "b", "x", ErrExpired)
	s.expire()
	expect(t, s, Waiting, "a")
}

func TestAStatusHoldsNoValue(t *testing.T) {
	s := NewStore([]launchspec.Secret{variable("a", "A")}, time.Hour)
	deliver(t, s, "a", "correct horse", nil)
	if text := fmt.Sprintf("%+v", s.Status()); strings.Contains(text, "horse") {
		t.Error(text)
	}
}
