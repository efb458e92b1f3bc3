package secrets

import (
	"testing"
	"time"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

func TestAHeldBoxWithoutSecretsWaitsUntilItIsReleased(t *testing.T) {
	s := NewHeldStore(nil, time.Hour)
	if state := s.Status().State; state != Waiting {
		t.Errorf("got %s", state)
	}
	s.Release()
	<-s.Done()
	if environment, err := s.HandOver(nil, users.User{}); err != nil || len(environment) > 0 || s.Status().State != Ready {
		t.Errorf("got %v, %v", environment, err)
	}
	s.Release()
}

func TestAHeldBoxNeedsBothItsSecretsAndItsRelease(t *testing.T) {
	for _, released := range []bool{true, false} {
		s := NewHeldStore([]launchspec.Secret{file("a")}, time.Hour)
		steps := []func(){s.Release, func() { deliver(t, s, "a", "1", nil) }}
		if !released {
			steps[0], steps[1] = steps[1], steps[0]
		}
		steps[0]()
		if state := s.Status().State; state != Waiting {
			t.Errorf("got %s", state)
		}
		steps[1]()
		if state := s.Status().State; state != Ready {
			t.Errorf("got %s", state)
		}
	}
}

func TestAHeldBoxThatIsRefusedOrLateIsNotReleased(t *testing.T) {
	refused := NewHeldStore(nil, time.Hour)
	refused.Refuse()
	late := NewHeldStore(nil, time.Nanosecond)
	for want, s := range map[State]*Store{Refused: refused, Expired: late} {
		<-s.Done()
		s.Release()
		if state := s.Status().State; state != want {
			t.Errorf("got %s, want %s", state, want)
		}
	}
}
