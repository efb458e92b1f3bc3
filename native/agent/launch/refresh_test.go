package launch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/kbs"
)

// refreshes is a guest whose main process has begun, with one secret that is fetched again each ten
// milliseconds, and the path of its file.
func refreshes(t *testing.T, answers ...func(func(string, []byte) error) error) (*launched, *brokerOf, string) {
	t.Helper()
	guesttest.NeedRoot(t)
	text := vector(t, "refresh-file")
	l := launchOf(t, text)
	b := &brokerOf{answers: answers}
	l.broker, l.relay, l.firstPause, l.second = b, kbs.NewRelay(), time.Millisecond, time.Millisecond
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	<-l.box.launched
	return l, b, "/proc/self/fd/" + strconv.Itoa(l.files.Mount()) + "/token"
}

const refreshedPath = "default/db/password"

func TestASecretIsFetchedAgainWhileTheBoxRuns(t *testing.T) {
	asked := make(chan struct{}, 8)
	again := func(take func(string, []byte) error) error {
		defer func() { asked <- struct{}{} }()
		return take(refreshedPath, []byte("second"))
	}
	_, b, path := refreshes(t, gives("first", refreshedPath), fails(errors.New("no route")),
		fails(&kbs.Refusal{Status: 403, Code: "kbs-denied"}), again)
	// Two failures before it changed nothing, and ended nothing.
	<-asked
	if content, err := os.ReadFile(path); err != nil || string(content) != "second" {
		t.Errorf("got %q, %v", content, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, paths := range b.attempts {
		if strings.Join(paths, " ") != refreshedPath {
			t.Errorf("asked %v", b.attempts)
		}
	}
}

func TestABoxThatRefreshesIsCarriedToItsBrokerAfterItHasItsSecrets(t *testing.T) {
	l, _, _ := refreshes(t, gives("first", refreshedPath))
	<-l.offered.Secrets.Done()
	dialed := make(chan error, 1)
	go func() {
		conn, err := l.relay.Dial(t.Context())
		if err == nil {
			err = conn.Close()
		}
		dialed <- err
	}()
	conn, err := l.BrokerConnection(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-dialed, conn.Close()); err != nil {
		t.Error(err)
	}
}
