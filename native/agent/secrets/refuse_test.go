package secrets

import (
	"bytes"
	"testing"
	"time"

	"a3s.dev/box/agent/launchspec"
)

func TestASecretThatWillNotComeEndsTheWait(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a"), file("b")}, time.Hour)
	deliver(t, s, "a", "secret", nil)
	value := s.entries[0].value
	s.Refuse()
	<-s.Done()
	expect(t, s, Refused, "a")
	if !bytes.Equal(value, make([]byte, len("secret"))) {
		t.Errorf("still there: %q", value)
	}
	deliver(t, s, "b", "x", ErrExpired)
	s.expire()
	s.Refuse()
	expect(t, s, Refused, "a")
}

func TestARefusalAfterTheLastSecretChangesNothing(t *testing.T) {
	s := NewStore([]launchspec.Secret{file("a")}, time.Hour)
	deliver(t, s, "a", "x", nil)
	s.Refuse()
	expect(t, s, Ready, "a")
}
