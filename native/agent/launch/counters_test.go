package launch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/sealedvolume"
)

// counter answers each attempt with the next of its errors, and then with the last.
type counter struct {
	*brokerOf
	errs  []error
	asked [][]kbs.Counted
}

func (c *counter) Count(_ context.Context, volumes []kbs.Counted) error {
	err := c.errs[min(len(c.asked), len(c.errs)-1)]
	c.asked = append(c.asked, volumes)
	return err
}

// handle is of a volume of a test, with what was done to it.
type handle struct {
	done   chan string
	refuse error
}

func (h *handle) Volume() string       { return "0123456789abcdef0123456789abcdef" }
func (h *handle) Generation() uint64   { return sealedvolume.FirstGeneration }
func (h *handle) Advance(uint64) error { return nil }

func (h *handle) Use() error {
	h.done <- "use"
	return h.refuse
}

func (h *handle) Close() error {
	h.done <- "close"
	return nil
}

func newHandle() *handle { return &handle{done: make(chan string, 4)} }

// countsVolumes is a started guest whose broker counts its one volume.
func countsVolumes(t *testing.T, text []byte, b *counter) *launched {
	t.Helper()
	l := launchOf(t, text)
	l.broker, l.relay, l.firstPause = b, kbs.NewRelay(), time.Millisecond
	opening(t, func(terms sealedvolume.Terms, _ sealedvolume.Sealer) (*sealedvolume.Volume, error) {
		if !terms.Counted {
			t.Error("it is not counted")
		}
		return &sealedvolume.Volume{Device: "/dev/dm-1", Handle: newHandle()}, nil
	})
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMainBeginsOnceItsVolumesAreCounted(t *testing.T) {
	b := &counter{errs: []error{errors.New("refused"), nil}}
	l := countsVolumes(t, vector(t, "volumes-counter-init"), b)
	if environment := <-l.box.launched; len(environment) != 0 {
		t.Errorf("got %v", environment)
	}
	if len(b.asked) != 2 || len(b.asked[0]) != 1 || b.asked[0][0].Path != "default/db/data" {
		t.Errorf("asked %v", b.asked)
	}
}

func TestABoxWhoseVolumeIsNotConfirmedEnds(t *testing.T) {
	const old, not = "volume-rolled-back", "volume-not-counted"
	for _, c := range []struct {
		err        error
		code, want string
	}{
		{kbs.ErrRolledBack, old, "a sealed volume was refused: " + kbs.ErrRolledBack.Error()},
		{kbs.ErrOther, old, "a sealed volume was refused: " + kbs.ErrOther.Error()},
		{kbs.ErrBehind, not, kbs.ErrBehind.Error()},
		{&kbs.Refusal{Status: 409, Code: "kbs-counter"}, not, "the broker answers kbs-counter"},
		{&kbs.Refusal{Status: 403, Code: "kbs-denied"}, not, "the broker answers kbs-denied"},
	} {
		l := countsVolumes(t, vector(t, "volumes-counter-init"), &counter{errs: []error{c.err}})
		if reason := <-l.box.abandoned; reason.Code != c.code || !strings.HasSuffix(reason.Message, c.want) {
			t.Errorf("got %+v", reason)
		}
		(<-l.later)()
		<-l.ended
	}
}

func TestABrokerThatIsNotReachedIsNoPermission(t *testing.T) {
	text := with(t, vector(t, "volumes-counter-init"), `"secretsDeadline":600`, `"secretsDeadline":1`)
	l := countsVolumes(t, text, &counter{errs: []error{errors.New("no route")}})
	reason := <-l.box.abandoned
	if reason.Code != "volume-not-counted" || !strings.HasSuffix(reason.Message, "the broker cannot be reached") {
		t.Errorf("got %+v", reason)
	}
	(<-l.later)()
	<-l.ended
}

func TestAVolumeThatWasNotOpenedIsNotTakenForCounted(t *testing.T) {
	text := vector(t, "volumes-counter-init")
	l := launchOf(t, text)
	b := &counter{errs: []error{nil}}
	l.broker, l.relay = b, kbs.NewRelay()
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	if reason := <-l.box.abandoned; reason.Code != "volume-not-counted" || len(b.asked) > 0 {
		t.Errorf("got %+v after %v", reason, b.asked)
	}
	(<-l.later)()
	<-l.ended
}

func TestSecretsAreFetchedOnceTheVolumesAreCounted(t *testing.T) {
	text := with(t, vector(t, "volumes-counter-init"), `"secrets":[]`, `"secrets":[`+fetchedEnv+`]`)
	fetching := &brokerOf{answers: []func(func(string, []byte) error) error{gives("0000", "default/db/password")}}
	b := &counter{brokerOf: fetching, errs: []error{&kbs.Refusal{Status: 503, Code: "kbs-busy"}, nil}}
	l := countsVolumes(t, text, b)
	if environment := <-l.box.launched; strings.Join(environment, " ") != "TOKEN=0000" {
		t.Errorf("got %v", environment)
	}
	if len(b.asked) != 2 || len(fetching.attempts) != 1 {
		t.Errorf("counted %d times, fetched %d times", len(b.asked), len(fetching.attempts))
	}
	old := &counter{brokerOf: &brokerOf{}, errs: []error{kbs.ErrRolledBack}}
	l = countsVolumes(t, text, old)
	if reason := <-l.box.abandoned; reason.Code != "volume-rolled-back" || len(old.attempts) > 0 {
		t.Errorf("got %+v after %v", reason, old.attempts)
	}
	(<-l.later)()
	<-l.ended
}

func TestAVolumeIsSaidToBeUsedRightBeforeTheWorkloadRuns(t *testing.T) {
	for name, refuse := range map[string]error{"written": nil, "not written": errors.New("no room")} {
		text := vector(t, "volumes-init")
		l := launchOf(t, text)
		h := newHandle()
		h.refuse = refuse
		opening(t, func(sealedvolume.Terms, sealedvolume.Sealer) (*sealedvolume.Volume, error) {
			return &sealedvolume.Volume{Device: "/dev/dm-1", Created: true, Handle: h}, nil
		})
		if _, err := l.Take(text); err != nil {
			t.Fatal(err)
		}
		if _, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb"); err != nil {
			t.Fatal(err)
		}
		_, err := l.Start()
		if <-h.done != "use" || !errors.Is(err, refuse) || l.box.started != (refuse == nil) {
			t.Errorf("%s: got %v, started %t", name, err, l.box.started)
		}
		if err := l.Close(); err != nil || <-h.done != "close" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAVolumeOfABoxThatNeverRanIsNotSaidToBeUsed(t *testing.T) {
	h := newHandle()
	text := vector(t, "volumes-counter-init")
	l := launchOf(t, text)
	l.broker, l.relay = &counter{errs: []error{kbs.ErrRolledBack}}, kbs.NewRelay()
	opening(t, func(sealedvolume.Terms, sealedvolume.Sealer) (*sealedvolume.Volume, error) {
		return &sealedvolume.Volume{Device: "/dev/dm-1", Created: true, Handle: h}, nil
	})
	if _, err := l.Take(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.box.spec.OpenSealed("volume-0", "/dev/vdb"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(); err != nil {
		t.Fatal(err)
	}
	<-l.box.abandoned
	if err := l.Close(); err != nil || <-h.done != "close" || len(h.done) > 0 {
		t.Errorf("got %v", err)
	}
	(<-l.later)()
	<-l.ended
}
