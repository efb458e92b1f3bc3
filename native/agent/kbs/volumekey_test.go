package kbs

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTheKeyOfAVolumeComesWithWhetherItWasCounted(t *testing.T) {
	for name, c := range map[string]struct {
		counter string
		answer  http.HandlerFunc
		used    bool
	}{
		"no counter": {"", nil, false},
		"never":      {"a/b/d", answer(404, `{"type":"urn:a3s-box:error:kbs-no-resource"}`), false},
		"advanced":   {"a/b/d", answer(200, `{"volume":"0123456789abcdef0123456789abcdef","generation":3}`), true},
	} {
		b := serve(t, func(b *broker) {
			if c.answer != nil {
				b.answers["counter/a/b/d"] = func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodGet {
						t.Errorf("%s: it is advanced", name)
					}
					c.answer(w, r)
				}
			}
		})
		keyed, err := b.client(nil).VolumeKey(t.Context(), "a/b/volume-key", c.counter)
		if err != nil || keyed.Used != c.used || keyed.Path != "a/b/volume-key" || keyed.Counter != c.counter ||
			string(keyed.Key) != "value of resource/a/b/volume-key" {
			t.Errorf("%s: got %+v, %v", name, keyed, err)
		}
		if len(b.ended) != 1 {
			t.Errorf("%s: ended %v", name, b.ended)
		}
	}
}

// A host cannot answer for the broker. A broker that fails leaves open whether there is a volume.
func TestACounterThatIsNotKnownGivesNoKey(t *testing.T) {
	for name, body := range map[string]http.HandlerFunc{
		"denied":     answer(403, `{"type":"urn:a3s-box:error:kbs-denied"}`),
		"failed":     answer(500, ""),
		"not found":  answer(404, ""),
		"no answer":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) },
		"generation": answer(200, `{"volume":"0123456789abcdef0123456789abcdef","generation":0}`),
	} {
		b := serve(t, func(b *broker) { b.answers["counter/a/b/d"] = body })
		keyed, err := b.client(nil).VolumeKey(t.Context(), "a/b/volume-key", "a/b/d")
		if keyed != nil || err == nil || strings.Contains(strings.Join(b.asked, " "), "resource") {
			t.Errorf("%s: got %+v, %v", name, keyed, err)
		}
	}
}

func TestAKeyThatIsRefusedIsTheBrokersCode(t *testing.T) {
	b := serve(t, func(b *broker) {
		b.answers["resource/a/b/volume-key"] = answer(403, `{"type":"urn:a3s-box:error:kbs-denied"}`)
	})
	var refusal *Refusal
	_, err := b.client(nil).VolumeKey(t.Context(), "a/b/volume-key", "")
	if !errors.As(err, &refusal) || refusal.Code != "kbs-denied" || !refusal.Final() {
		t.Errorf("got %v", err)
	}
}

func TestASecretIsNoKeyOfAVolumeAndTheOtherWayRound(t *testing.T) {
	b := serve(t, nil)
	if keyed, err := b.client(nil).VolumeKey(t.Context(), "a/b/c", ""); !errors.Is(err, ErrKind) || len(keyed.Key) > 0 {
		t.Errorf("got %+v, %v", keyed, err)
	}
	if got, err := fetch(t, b.client(nil), "a/b/volume-key"); !errors.Is(err, ErrKind) || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
