package secrets

import (
	"errors"
	"slices"
	"testing"
	"time"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

func TestAShareIsOfTheSecretsThatAreNamed(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("cert"), variable("pin", "PIN"), variable("user", "USER")}, time.Hour)
	if _, err := s.Share(nil, users.User{}, nil); !errors.Is(err, ErrNotReady) {
		t.Errorf("before they are there: got %v", err)
	}
	deliver(t, s, "cert", "a", nil)
	deliver(t, s, "pin", "1", nil)
	deliver(t, s, "user", "2", nil)
	for _, share := range []struct{ names, want []string }{
		{[]string{"pin"}, []string{"PIN=1"}},
		{[]string{"user"}, []string{"USER=2"}},
		{[]string{"user", "pin"}, []string{"PIN=1", "USER=2"}},
		{nil, nil},
		{[]string{"pi", "PIN", "", "pin "}, nil},
	} {
		// Without files: one that is not named is not written.
		if environment, err := s.Share(nil, users.User{}, share.names); err != nil || !slices.Equal(environment, share.want) {
			t.Errorf("%q: got %q, %v", share.names, environment, err)
		}
	}
	if err := s.Wipe(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Share(nil, users.User{}, []string{"pin"}); !errors.Is(err, ErrNotReady) {
		t.Errorf("after the end: got %v", err)
	}
}
