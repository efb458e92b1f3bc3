package launch

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/sealedvolume"
)

// keeper is a broker with a key, which answers each request with the next of its errors, and then
// with the last. It is reached through the relay.
type keeper struct {
	*brokerOf
	relay *kbs.Relay
	errs  []error
	asked [][2]string
	given *sealedvolume.Keyed
}

func (k *keeper) VolumeKey(ctx context.Context, path, counter string) (*sealedvolume.Keyed, error) {
	err := k.errs[min(len(k.asked), len(k.errs)-1)]
	k.asked = append(k.asked, [2]string{path, counter})
	if err != nil {
		return nil, err
	}
	conn, err := k.relay.Dial(ctx)
	if err != nil {
		return nil, err
	}
	k.given = &sealedvolume.Keyed{Path: path, Counter: counter, Key: bytes.Repeat([]byte{7}, 32), Used: true}
	return k.given, conn.Close()
}

// opensKeyed opens the volume while the launch spec is taken, as a box does, with a host that
// carries one connection.
func opensKeyed(t *testing.T, name string, errs ...error) (k *keeper, terms sealedvolume.Terms, taken error) {
	t.Helper()
	text := with(t, vector(t, name), `"secretsDeadline":600`, `"secretsDeadline":1`)
	l := launchOf(t, text)
	k = &keeper{relay: kbs.NewRelay(), errs: errs}
	l.broker, l.relay, l.firstPause = k, k.relay, time.Millisecond
	opening(t, func(given sealedvolume.Terms, _ sealedvolume.Sealer) (*sealedvolume.Volume, error) {
		terms = given
		terms.Keyed = &sealedvolume.Keyed{Key: bytes.Clone(given.Keyed.Key), Counter: given.Keyed.Counter, Used: given.Keyed.Used}
		return &sealedvolume.Volume{Device: "/dev/dm-1"}, nil
	})
	l.box.taking = func() error {
		_, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb")
		return err
	}
	carried := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		<-l.Reaching()
		conn, err := l.BrokerConnection(gone)
		if err == nil {
			err = conn.Close()
		}
		carried <- err
	}()
	_, taken = l.Take(text)
	close(gone)
	err := <-carried
	if taken == nil && err != nil {
		t.Errorf("carried: %v", err)
	}
	return k, terms, taken
}

func TestTheKeyOfAVolumeIsFetchedWhileTheSpecIsTaken(t *testing.T) {
	k, terms, err := opensKeyed(t, "volumes-key-counter", errors.New("no route"), &kbs.Refusal{Status: 503, Code: "kbs-busy"}, nil)
	if err != nil || len(k.asked) != 3 || k.asked[2] != [2]string{"default/volumes/key", "default/db/data"} {
		t.Fatalf("asked %v, %v", k.asked, err)
	}
	if !terms.Counted || !terms.Keyed.Used || terms.Keyed.Counter != "default/db/data" || !bytes.Equal(terms.Keyed.Key, bytes.Repeat([]byte{7}, 32)) {
		t.Errorf("got %+v", terms)
	}
	if strings.Trim(string(k.given.Key), "\x00") != "" {
		t.Error("the key was not overwritten")
	}
	if k, terms, err = opensKeyed(t, "volumes-key", nil); err != nil || k.asked[0][1] != "" || terms.Counted {
		t.Errorf("asked %v, %+v, %v", k.asked, terms, err)
	}
}

func TestAKeyThatDoesNotComeIsNoVolume(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		code, words string
	}{
		"denied":      {&kbs.Refusal{Status: 403, Code: "kbs-denied"}, codeKeyRefused, "the broker answers kbs-denied"},
		"no evidence": {&kbs.Refusal{Status: 401, Code: "kbs-evidence"}, codeKeyRefused, "the broker answers kbs-evidence"},
		"no key":      {&kbs.Refusal{Status: 404, Code: "kbs-no-resource"}, codeKeyRefused, "the broker answers kbs-no-resource"},
		"no broker":   {errors.New("no route"), codeKeyNotFetched, "the broker cannot be reached"},
		"another key": {kbs.ErrKey, codeKeyNotFetched, kbs.ErrKey.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			_, terms, err := opensKeyed(t, "volumes-key", c.err)
			if codeOf(err) != c.code || !strings.HasSuffix(err.Error(), c.words) || terms.Keyed != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAfterTheSpecIsTakenNothingIsCarriedForKeys(t *testing.T) {
	text := vector(t, "volumes-key")
	l := launchOf(t, text)
	l.broker, l.relay = &keeper{}, kbs.NewRelay()
	l.box.taking = func() error {
		gone := make(chan struct{})
		close(gone)
		conn, err := l.BrokerConnection(gone)
		if conn != nil || codeOf(err) != "conflict" {
			t.Errorf("got %v, %v", conn, err)
		}
		return nil
	}
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.BrokerConnection(nil); codeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
}
