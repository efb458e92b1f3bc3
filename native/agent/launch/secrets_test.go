package launch

import (
	"errors"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/stage"
)

const envSecret = `"secrets":[{"allowAnyInjector":true,"delivery":{"kind":"env","variable":"PIN"},"injectors":[],"name":"pin"}]`

// waits is a guest whose main process waits for one secret.
func waits(t *testing.T) *launched {
	t.Helper()
	text := with(t, vector(t, "small"), `"secrets":[]`, envSecret)
	l := launchOf(t, text)
	if _, err := l.Start(); !errors.Is(err, box.ErrSpecMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if h, err := l.Start(); err != nil || h != l.box.main {
		t.Fatalf("got %v, %v", h, err)
	}
	return l
}

func TestABoxWithoutSecretsStartsAtOnce(t *testing.T) {
	text := vector(t, "small")
	l := launchOf(t, text)
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil || !l.box.started {
		t.Errorf("got %v", err)
	}
}

func TestMainBeginsOnceItsSecretsAreThere(t *testing.T) {
	l := waits(t)
	if len(l.box.launched) != 0 || l.box.started {
		t.Error("it did not wait")
	}
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); err != nil {
		t.Fatal(err)
	}
	if environment := <-l.box.launched; len(environment) != 1 || environment[0] != "PIN=0000" {
		t.Errorf("got %v", environment)
	}
	if status, err := l.Secrets(nil, -1); err != nil || status.State != "ready" {
		t.Errorf("got %+v, %v", status, err)
	}
}

func TestAUserThatIsNotThereEndsTheWait(t *testing.T) {
	l := waits(t)
	l.box.noUser = &stage.Refusal{Code: stage.UserNotFound, Message: "ghost"}
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); err != nil {
		t.Fatal(err)
	}
	if reason := <-l.box.abandoned; reason.Code != stage.UserNotFound || reason.Message != "ghost" {
		t.Errorf("got %+v", reason)
	}
}

func TestAGuestWhoseSecretsAreLateEnds(t *testing.T) {
	text := with(t, with(t, vector(t, "small"), `"secrets":[]`, envSecret), `"secretsDeadline":600`, `"secretsDeadline":1`)
	l := launchOf(t, text)
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	if reason := <-l.box.abandoned; reason.Code != "secrets-deadline" {
		t.Errorf("got %+v", reason)
	}
	(<-l.later)()
	<-l.ended
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); err == nil {
		t.Error("a secret was taken")
	}
}

func TestNoSecretIsTakenForAMainProcessThatHasEnded(t *testing.T) {
	l := waits(t)
	ended := make(chan struct{})
	close(ended)
	l.wipeAfter(ended, l.offered)
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); !errors.Is(err, secrets.ErrExpired) {
		t.Errorf("got %v", err)
	}
}

func TestTheEndTakesTheSecretsAlong(t *testing.T) {
	if err := launchOf(t, nil).Close(); err != nil {
		t.Error(err)
	}
	l := waits(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.offered.Secrets.Deliver("pin", []byte("0000")); err == nil {
		t.Error("a secret was taken")
	}
}
