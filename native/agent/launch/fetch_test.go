package launch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/secrets"
)

// brokerOf answers each attempt with the next of its functions, and then with the last.
type brokerOf struct {
	mu       sync.Mutex
	attempts [][]string
	answers  []func(take func(resource string, value []byte) error) error
}

func (b *brokerOf) Fetch(ctx context.Context, resources []string, take func(resource string, value []byte) error) error {
	b.mu.Lock()
	answer := b.answers[min(len(b.attempts), len(b.answers)-1)]
	b.attempts = append(b.attempts, resources)
	b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return answer(take)
}

func (b *brokerOf) VolumeKey(context.Context, string, string) (*sealedvolume.Keyed, error) {
	return nil, errors.New("no volume of this box has a key there")
}

func (b *brokerOf) Count(context.Context, []kbs.Counted) error {
	return errors.New("nothing of this box is counted")
}

func fails(err error) func(func(string, []byte) error) error {
	return func(func(string, []byte) error) error { return err }
}

func gives(value string, resources ...string) func(func(string, []byte) error) error {
	return func(take func(string, []byte) error) error {
		for _, resource := range resources {
			if err := take(resource, []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}
}

// fetches is a started guest with secrets that it fetches.
func fetches(t *testing.T, text []byte, answers ...func(func(string, []byte) error) error) (*launched, *brokerOf) {
	t.Helper()
	l := launchOf(t, text)
	b := &brokerOf{answers: answers}
	l.broker, l.relay, l.firstPause = b, kbs.NewRelay(), time.Millisecond
	if _, err := l.BrokerConnection(nil); !errors.Is(err, box.ErrSpecMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	return l, b
}

const fetchedEnv = `{"allowAnyInjector":false,"delivery":{"kind":"env","variable":"TOKEN"},"injectors":[],"name":"token","resource":"default/db/password"}`

// twice has two fetched secrets of one resource, and one that is injected.
func twice(t *testing.T) []byte {
	more := strings.NewReplacer(`"TOKEN"`, `"PIN"`, `"token"`, `"uri"`)
	injected := strings.NewReplacer(`false`, `true`, `"TOKEN"`, `"KEY"`, `"token"`, `"key"`, `,"resource":"default/db/password"`, "")
	list := "[" + injected.Replace(fetchedEnv) + "," + fetchedEnv + "," + more.Replace(fetchedEnv) + "]"
	return with(t, vector(t, "fetched-env"), "["+fetchedEnv+"]", list)
}

func TestMainBeginsOnceItsSecretsAreFetched(t *testing.T) {
	l, b := fetches(t, vector(t, "fetched-env"),
		fails(errors.New("refused")), fails(&kbs.Refusal{Status: 503, Code: "kbs-busy"}), gives("0000", "default/db/password"))
	if environment := <-l.box.launched; len(environment) != 1 || environment[0] != "TOKEN=0000" {
		t.Errorf("got %v", environment)
	}
	if len(b.attempts) != 3 || len(b.attempts[0]) != 1 || b.attempts[0][0] != "default/db/password" {
		t.Errorf("asked %v", b.attempts)
	}
}

func TestOneResourceIsFetchedOnceForSeveralSecrets(t *testing.T) {
	l, b := fetches(t, twice(t), gives("0000", "default/db/password"))
	if err := l.offered.Secrets.Deliver("key", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if environment := <-l.box.launched; strings.Join(environment, " ") != "KEY=1 TOKEN=0000 PIN=0000" {
		t.Errorf("got %v", environment)
	}
	if len(b.attempts) != 1 || len(b.attempts[0]) != 1 {
		t.Errorf("asked %v", b.attempts)
	}
}

func TestARefusalEndsTheBoxWithTheBrokersCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&kbs.Refusal{Status: 403, Code: "kbs-denied"}, "the secret was refused: the broker answers kbs-denied"},
		{secrets.ErrNUL, "the secret was refused: " + secrets.ErrNUL.Error()},
	} {
		l, b := fetches(t, vector(t, "fetched-env"), fails(c.err))
		if reason := <-l.box.abandoned; reason.Code != "secret-refused" || reason.Message != c.want {
			t.Errorf("got %+v", reason)
		}
		if status, err := l.Secrets(nil, -1); err != nil || status.State != secrets.Refused || len(b.attempts) != 1 {
			t.Errorf("got %+v, %v after %v", status, err, b.attempts)
		}
		(<-l.later)()
		<-l.ended
	}
}

func TestTheDeadlineSaysWhyNothingWasFetched(t *testing.T) {
	// What a network says is not passed on.
	network := &net.OpError{Op: "read", Err: tls.AlertError(42)}
	for err, want := range map[error]string{
		network:                               "the broker cannot be reached",
		kbs.ErrKey:                            kbs.ErrKey.Error(),
		errors.Join(kbs.ErrEvidence, network): kbs.ErrEvidence.Error(),
		&kbs.Refusal{Status: 500, Code: "http-500"}: "the broker answers http-500",
	} {
		text := with(t, vector(t, "fetched-env"), `"secretsDeadline":600`, `"secretsDeadline":1`)
		l, _ := fetches(t, text, fails(err))
		if reason := <-l.box.abandoned; reason.Code != "secrets-not-fetched" || reason.Message != "the secrets did not come in time: "+want {
			t.Errorf("got %+v", reason)
		}
	}
}

// A relying party that does not inject is not the broker's fault.
func TestTheDeadlineForAnInjectedSecretIsOfTheUsualCode(t *testing.T) {
	text := with(t, twice(t), `"secretsDeadline":600`, `"secretsDeadline":1`)
	l, _ := fetches(t, text, gives("0000", "default/db/password"))
	if reason := <-l.box.abandoned; reason.Code != "secrets-deadline" {
		t.Errorf("got %+v", reason)
	}
}

func TestTheHostCarriesTheConnectionsOfTheBrokerWhileSecretsAreMissing(t *testing.T) {
	connected := make(chan net.Conn, 1)
	l, _ := fetches(t, vector(t, "fetched-env"), func(take func(string, []byte) error) error {
		return take("default/db/password", []byte((<-connected).LocalAddr().Network()))
	})
	go func() {
		conn, err := l.relay.Dial(t.Context())
		if err != nil {
			t.Error(err)
		}
		connected <- conn
	}()
	conn, err := l.BrokerConnection(nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	<-l.box.launched
	if _, err := l.BrokerConnection(nil); codeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
	gone := make(chan struct{})
	close(gone)
	if _, err := l.BrokerConnection(gone); err == nil {
		t.Error("a host that is gone has a connection")
	}
}

func TestALaunchWithoutABrokerHasNothingToCarry(t *testing.T) {
	l := waits(t)
	if _, err := l.BrokerConnection(nil); codeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
}

func TestNoConnectionIsWaitedForForever(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if conn, err := kbs.NewRelay().Dial(ctx); conn != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", conn, err)
	}
}
