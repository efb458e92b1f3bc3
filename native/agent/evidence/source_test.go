package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
)

var (
	spki     = []byte("a key")
	exporter = bytes.Repeat([]byte{9}, 32)
	text     = []byte(`{"schema":"a3s-box/launch-spec/v1"}`)
)

func source(processor tee.Processor) *Source {
	return New(Config{Processor: processor, Instance: [16]byte{1}, SpecDigest: sha256.Sum256(text), SpecText: text})
}

func TestEachReportIsOfItsPurpose(t *testing.T) {
	fake := &teetest.Fake{}
	s := source(fake)
	var data [64]byte
	copy(data[:], bytes.Repeat([]byte{7}, 64))
	session, err := s.Session(nil, spki, data[:], exporter)
	if err != nil {
		t.Fatal(err)
	}
	workload, err := s.Workload(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Extension(spki); err != nil {
		t.Fatal(err)
	}
	want := [][64]byte{
		(&binding{"ra-tls-session", spki, data[:], exporter, "server"}).reportData([16]byte{1}, sha256.Sum256(text)),
		(&binding{"workload", nil, data[:], nil, "workload"}).reportData([16]byte{1}, sha256.Sum256(text)),
		claimsReportData(claims(spki, [16]byte{1}, sha256.Sum256(text))),
	}
	asked := fake.Asked()
	if len(asked) != len(want) {
		t.Fatalf("got %d reports", len(asked))
	}
	for index := range want {
		if asked[index] != want[index] {
			t.Errorf("report %d is over %x, want %x", index, asked[index], want[index])
		}
	}
	for _, document := range []*Document{session, workload} {
		if document.Evidence.Schema != "a3s-box/evidence/v1" || len(document.Evidence.Report) != snp.Size ||
			document.Instance != "01000000000000000000000000000000" || !bytes.Equal(document.Spec, text) {
			t.Errorf("got %+v", document)
		}
	}
}

// TestAWorkloadCannotChooseWhatAReportIsOver: whatever it says, its bytes are hashed together with
// its purpose, so they are nowhere in a report as they are, and no bytes of its own make a
// session's.
func TestAWorkloadCannotChooseWhatAReportIsOver(t *testing.T) {
	fake := &teetest.Fake{}
	s := source(fake)
	session := (&binding{"ra-tls-session", spki, exporter, exporter, "server"}).reportData(s.config.Instance, s.config.SpecDigest)
	certificate := claimsReportData(claims(spki, s.config.Instance, s.config.SpecDigest))
	for _, data := range [][64]byte{{}, session, certificate} {
		if _, err := s.Workload(data); err != nil {
			t.Fatal(err)
		}
		if over := fake.Asked()[len(fake.Asked())-1]; over == data || over == session || over == certificate {
			t.Errorf("a report over %x was made", over)
		}
	}
}

func TestSimulatedEvidenceSaysSo(t *testing.T) {
	for simulated, want := range map[bool]string{true: "simulated", false: "sev-snp"} {
		s := New(Config{Processor: &teetest.Fake{}, Simulated: simulated})
		document, err := s.Workload([64]byte{})
		if err != nil || document.Evidence.TEE != want || s.TEE() != want {
			t.Errorf("got %+v, %v; want %s", document, err, want)
		}
	}
}

func TestCertificatesOfTheProcessorGoBeforeThoseOfTheHost(t *testing.T) {
	for name, c := range map[string]struct {
		own  []byte
		host func() []byte
		want []byte
	}{
		"none":            {nil, nil, nil},
		"the processor's": {[]byte{1}, func() []byte { return []byte{2} }, []byte{1}},
		"the host's":      {nil, func() []byte { return []byte{2} }, []byte{2}},
		"too many":        {nil, func() []byte { return make([]byte, maxCertificates+1) }, nil},
	} {
		s := New(Config{Processor: &teetest.Fake{Certificates: c.own}, HostCertificates: c.host})
		document, err := s.Workload([64]byte{})
		if err != nil || !bytes.Equal(document.Evidence.Certificates, c.want) {
			t.Errorf("%s: got %x, %v", name, document.Evidence.Certificates, err)
		}
	}
}

func TestALargeTableIsNoHint(t *testing.T) {
	report := make([]byte, snp.Size)
	if with := extension(report, make([]byte, maxHint), nil); len(with) < maxHint {
		t.Errorf("got %d bytes", len(with))
	}
	if without := extension(report, make([]byte, maxHint+1), nil); len(without) > 2*snp.Size {
		t.Errorf("got %d bytes", len(without))
	}
}

func TestAnErrorOfTheProcessorIsReturned(t *testing.T) {
	broken := errors.New("broken")
	s := source(&teetest.Fake{Err: broken})
	if _, err := s.Workload([64]byte{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Extension(spki); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// held answers only once it is let.
type held struct {
	teetest.Fake
	entered, let chan struct{}
}

func (h *held) Report(data [64]byte) (tee.Report, error) {
	h.entered <- struct{}{}
	<-h.let
	return h.Fake.Report(data)
}

func TestFewWaitForTheProcessor(t *testing.T) {
	h := &held{entered: make(chan struct{}), let: make(chan struct{})}
	s := source(h)
	ended := make(chan error, maxSessions)
	for range maxSessions {
		go func() {
			_, err := s.Session(nil, spki, exporter, exporter)
			ended <- err
		}()
		<-h.entered
	}
	if _, err := s.Session(nil, spki, exporter, exporter); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	// The workload has a queue of its own.
	go func() {
		_, err := s.Workload([64]byte{})
		ended <- err
	}()
	<-h.entered
	close(h.let)
	for range maxSessions + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestABucketFillsWithTime(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBucket(2, 4, func() time.Time { return now })
	take := func(want ...bool) {
		t.Helper()
		for index, w := range want {
			if got := b.Take(); got != w {
				t.Errorf("take %d: got %v", index, got)
			}
		}
	}
	take(true, true, false)
	now = now.Add(249 * time.Millisecond)
	take(false)
	now = now.Add(time.Millisecond)
	take(true, false)
	now = now.Add(time.Hour)
	take(true, true, false)
}

func TestAWorkloadIsRefusedWhatIsTooMuch(t *testing.T) {
	s := source(&teetest.Fake{})
	still := time.Unix(0, 0)
	s.workload.rate = newBucket(1, 1, func() time.Time { return still })
	for _, want := range []error{nil, ErrTooMany} {
		if _, err := s.Workload([64]byte{}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// The rate is held by having peers wait. Refused, one of them would depend on the luck of asking
// before the others each time.
func TestPeersWaitForTheRateInTurn(t *testing.T) {
	fake := &teetest.Fake{}
	s := source(fake)
	s.sessions.rate = NewBucket(1, 1000)
	ended := make(chan error)
	for range maxSessions {
		go func() {
			_, err := s.Session(nil, spki, exporter, exporter)
			ended <- err
		}()
	}
	for range maxSessions {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if asked := len(fake.Asked()); asked != maxSessions {
		t.Errorf("the processor was asked %d times", asked)
	}
}

func TestAPeerThatIsGoneTakesNoTurn(t *testing.T) {
	fake := &teetest.Fake{}
	s := source(fake)
	still := time.Unix(0, 0)
	now := func() time.Time { return still }
	s.sessions.rate = newBucket(0, 1, now)
	gone := make(chan struct{})
	ended := make(chan error)
	// One waits for the rate, the others for their turn.
	for range maxSessions {
		go func() {
			_, err := s.Session(gone, spki, exporter, exporter)
			ended <- err
		}()
	}
	close(gone)
	for range maxSessions {
		if err := <-ended; !errors.Is(err, ErrGone) {
			t.Errorf("got %v", err)
		}
	}
	s.sessions.rate = newBucket(1, 1, now)
	if _, err := s.Session(nil, spki, exporter, exporter); err != nil || len(fake.Asked()) != 1 {
		t.Errorf("got %v after %d reports", err, len(fake.Asked()))
	}
}

// A stranger who asks again and again on every connection would otherwise have those who ask for
// the first time wait behind it.
func TestEvidenceOnceMoreIsRefusedWhileOthersWait(t *testing.T) {
	fake := &teetest.Fake{}
	s := source(fake)
	if _, err := s.SessionAgain(spki, exporter, exporter); err != nil {
		t.Fatal(err)
	}
	s.sessions.turn <- struct{}{}
	if _, err := s.SessionAgain(spki, exporter, exporter); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	<-s.sessions.turn
	still := time.Unix(0, 0)
	s.sessions.rate = newBucket(1, 1, func() time.Time { return still })
	for _, want := range []error{nil, ErrTooMany} {
		if _, err := s.SessionAgain(spki, exporter, exporter); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if len(s.sessions.slots) != 0 || len(s.sessions.turn) != 0 {
		t.Error("a place is still held")
	}
}
