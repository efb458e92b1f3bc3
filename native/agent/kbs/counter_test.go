package kbs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/sealedvolume"
)

const (
	thisVolume  = "0123456789abcdef0123456789abcdef"
	otherVolume = "1123456789abcdef0123456789abcdef"
	counterPath = "default/db/data"
)

// volume is one whose disk may fail.
type volume struct {
	id         string
	generation uint64
	full       error
}

func (v *volume) Volume() string     { return v.id }
func (v *volume) Generation() uint64 { return v.generation }

func (v *volume) Advance(generation uint64) error {
	if v.full == nil {
		v.generation = generation
	}
	return v.full
}

// counting is a broker with a counter; nil for none.
type counting struct {
	*broker
	has   *counter
	steps []counterStep
	// lose answers nothing to the next step, which counts.
	lose bool
}

func counts(t *testing.T, has *counter) *counting {
	t.Helper()
	c := &counting{has: has}
	c.broker = serve(t, func(b *broker) { b.answers["counter/"+counterPath] = c.answer })
	return c
}

func (c *counting) answer(w http.ResponseWriter, r *http.Request) {
	if cookie := r.Header.Get("Cookie"); cookie != cookieName+"=two" {
		c.t.Errorf("the cookie is %s", cookie)
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		var step counterStep
		if err := json.Unmarshal(body, &step); err != nil {
			c.t.Error(err)
		}
		c.steps = append(c.steps, step)
		if c.has == nil && step.From != 0 || c.has != nil && (c.has.Volume != step.Volume || c.has.Generation != step.From) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"type":"urn:a3s-box:error:kbs-counter"}`)
			return
		}
		c.has = &counter{step.Volume, step.To}
		if c.lose {
			c.lose = false
			panic(http.ErrAbortHandler)
		}
	}
	if c.has == nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"type":"urn:a3s-box:error:kbs-no-resource"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(c.has)
}

func (c *counting) count(v *volume) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.client(nil).Count(ctx, []Counted{{counterPath, v}})
}

func TestEachStartAdvancesTheDiskAndTheBroker(t *testing.T) {
	c := counts(t, nil)
	v := &volume{id: thisVolume, generation: sealedvolume.FirstGeneration}
	for want := int64(3); want < 6; want++ {
		if err := c.count(v); err != nil || v.generation != uint64(want) || *c.has != (counter{thisVolume, want}) {
			t.Errorf("got %d and %+v, %v", v.generation, c.has, err)
		}
	}
	want := []counterStep{{thisVolume, 0, 3}, {thisVolume, 3, 4}, {thisVolume, 4, 5}}
	if fmt.Sprint(c.steps) != fmt.Sprint(want) {
		t.Errorf("asked %v", c.steps)
	}
}

func TestADiskThatDoesNotGoWithTheCounterIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		has  *counter
		disk volume
		want error
	}{
		"a copy from before the last start":        {&counter{thisVolume, 9}, volume{id: thisVolume, generation: 8}, ErrRolledBack},
		"the volume right after it was made":       {&counter{thisVolume, 9}, volume{id: thisVolume, generation: 2}, ErrRolledBack},
		"an empty disk, of which one was made":     {&counter{thisVolume, 3}, volume{id: otherVolume, generation: 2}, ErrOther},
		"another volume with the same generation":  {&counter{thisVolume, 3}, volume{id: otherVolume, generation: 3}, ErrOther},
		"a broker whose store went back":           {&counter{thisVolume, 9}, volume{id: thisVolume, generation: 11}, ErrBehind},
		"a broker that has lost its counter":       {nil, volume{id: thisVolume, generation: 4}, ErrBehind},
		"a volume that was never made completely":  {nil, volume{id: thisVolume, generation: 1}, ErrRolledBack},
		"a generation beyond what JSON says exact": {&counter{thisVolume, 9}, volume{id: thisVolume, generation: 1 << 63}, ErrBehind},
	} {
		t.Run(name, func(t *testing.T) {
			b := counts(t, c.has)
			v := c.disk
			if err := b.count(&v); !errors.Is(err, c.want) || !strings.Contains(err.Error(), counterPath) {
				t.Errorf("got %v", err)
			}
			if v != c.disk || len(b.steps) > 0 || b.has != c.has {
				t.Errorf("the disk has %d, the broker %+v after %v", v.generation, b.has, b.steps)
			}
		})
	}
}

// What a power cut leaves: the disk is written first, and the broker afterwards.
func TestAStartThatWasCutOffIsGoneOnWith(t *testing.T) {
	for name, c := range map[string]struct {
		has  *counter
		disk uint64
		want int64
	}{
		"before anything was written":                     {&counter{thisVolume, 9}, 9, 10},
		"after the disk was written":                      {&counter{thisVolume, 9}, 10, 10},
		"after the disk of a new volume was written":      {nil, 3, 3},
		"after the broker counted, before a workload ran": {&counter{thisVolume, 10}, 10, 11},
	} {
		b := counts(t, c.has)
		v := &volume{id: thisVolume, generation: c.disk}
		if err := b.count(v); err != nil || v.generation != uint64(c.want) || b.has.Generation != c.want {
			t.Errorf("%s: got %d and %+v, %v", name, v.generation, b.has, err)
		}
	}
}

func TestALostAnswerIsNoLostVolume(t *testing.T) {
	b := counts(t, &counter{thisVolume, 9})
	b.lose = true
	v := &volume{id: thisVolume, generation: 9}
	if err := b.count(v); err == nil || v.generation != 10 || b.has.Generation != 10 {
		t.Errorf("got %v with %d", err, v.generation)
	}
	if err := b.count(v); err != nil || v.generation != 11 || b.has.Generation != 11 {
		t.Errorf("got %v with %d and %+v", err, v.generation, b.has)
	}
}

func TestNothingIsToldToTheBrokerThatTheDiskDoesNotHave(t *testing.T) {
	b := counts(t, &counter{thisVolume, 9})
	v := &volume{id: thisVolume, generation: 9, full: errors.New("no room")}
	if err := b.count(v); !errors.Is(err, ErrDisk) || len(b.steps) > 0 {
		t.Errorf("got %v after %v", err, b.steps)
	}
}

func TestTwoStartsAtOnceAreNotBothConfirmed(t *testing.T) {
	b := counts(t, &counter{thisVolume, 9})
	// The other start comes between this one's question and its step.
	between := &volume{id: thisVolume, generation: 9, full: nil}
	b.answers["counter/"+counterPath] = func(w http.ResponseWriter, r *http.Request) {
		b.answer(w, r)
		if r.Method == http.MethodGet {
			b.has = &counter{thisVolume, 10}
		}
	}
	var refusal *Refusal
	if err := b.count(between); !errors.As(err, &refusal) || refusal.Code != "kbs-counter" || !refusal.Final() {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatIsNoCounterIsRefused(t *testing.T) {
	for _, answer := range []string{
		`{}`, `[]`, `{"volume":"` + thisVolume + `","generation":0}`, `{"volume":"` + thisVolume + `","generation":9007199254740991}`,
		`{"volume":"` + thisVolume + `","generation":9,"more":1}`, `{"volume":"` + thisVolume + `","generation":"9"}`,
	} {
		b := counts(t, nil)
		b.answers["counter/"+counterPath] = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }
		v := &volume{id: thisVolume, generation: 9}
		if err := b.count(v); !errors.Is(err, ErrAnswer) || v.generation != 9 {
			t.Errorf("%s: got %v", answer, err)
		}
	}
	// One that confirms something else than what was asked for.
	b := counts(t, nil)
	b.answers["counter/"+counterPath] = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"volume":"`+thisVolume+`","generation":9}`)
	}
	if err := b.count(&volume{id: thisVolume, generation: 9}); !errors.Is(err, ErrAnswer) {
		t.Errorf("got %v", err)
	}
}
