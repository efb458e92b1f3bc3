package ratls

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/tee"
)

// bound is REPORT_DATA as a verifier computes it from its own end of a connection.
func (p *peer) bound(nonce []byte) [64]byte {
	digest := sha256.Sum256(specText)
	return sha512.Sum512(evidence.Items(
		[]byte("a3s-box/report-data/v1"), []byte("ra-tls-session"), p.certificate().RawSubjectPublicKeyInfo, nonce,
		p.export("EXPORTER-a3s-box-attest-v1", nonce), []byte("server"), instance[:], digest[:],
	))
}

func reportData(document *evidence.Document) [64]byte {
	return [64]byte(document.Evidence.Report[0x50:0x90])
}

func TestAChallengeIsAnsweredForThisConnection(t *testing.T) {
	for simulated, tee := range map[bool]string{false: "sev-snp", true: "simulated"} {
		g := serve(t, guestOptions{simulated: simulated})
		p := g.connect(clientConfig())
		for _, length := range []int{32, 33, 64} {
			nonce := bytes.Repeat([]byte{byte(length)}, length)
			document := p.attest(nonce)
			if reportData(document) != p.bound(nonce) {
				t.Errorf("a nonce of %d bytes: the report is over something else", length)
			}
			if document.Evidence.Schema != "a3s-box/evidence/v1" || document.Evidence.TEE != tee || !bytes.Equal(document.Spec, specText) ||
				document.Instance != "01020300000000000000000000000000" {
				t.Errorf("got %+v", document)
			}
		}
	}
}

func TestANonceThatComesAgainGetsANewReport(t *testing.T) {
	g := serve(t, guestOptions{})
	first, second := g.connect(clientConfig()), g.connect(clientConfig())
	documents := []*evidence.Document{first.attest(nonce), first.attest(nonce), second.attest(nonce)}
	// One is of the certificate.
	if asked := g.processor.Asked(); len(asked) != 4 {
		t.Errorf("the processor was asked %d times", len(asked))
	}
	if reportData(documents[0]) == reportData(documents[2]) {
		t.Error("two connections have the same report")
	}
}

// TestARelayedSessionIsSeen: who ends the client's TLS and passes the nonce on to the guest has
// another exporter on either side.
func TestARelayedSessionIsSeen(t *testing.T) {
	g := serve(t, guestOptions{})
	client, relay := g.connect(clientConfig()), g.connect(clientConfig())
	if reportData(relay.attest(nonce)) == client.bound(nonce) {
		t.Error("evidence of another connection is good for this one")
	}
}

func TestAMalformedChallengeIsRefused(t *testing.T) {
	g := serve(t, guestOptions{})
	p := g.connect(clientConfig())
	for name, c := range map[string]struct {
		body   any
		status int
		code   string
	}{
		"31 bytes":       {map[string]any{"nonce": make([]byte, 31)}, 400, "nonce-length"},
		"65 bytes":       {map[string]any{"nonce": make([]byte, 65)}, 400, "nonce-length"},
		"no nonce":       {`{}`, 400, "malformed"},
		"not base64":     {`{"nonce":"!"}`, 400, "malformed"},
		"an unknown key": {`{"nonce":"","purpose":"workload"}`, 400, "malformed"},
		"a key twice":    {`{"nonce":"","nonce":""}`, 400, "malformed"},
		"no JSON":        {`x`, 400, "malformed"},
		"nothing":        {nil, 400, "malformed"},
		"too many bytes": {strings.Repeat(" ", maxChallenge+1), 413, "too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.refused("POST", "/attest", c.body, c.status, c.code)
		})
	}
	if asked := len(g.processor.Asked()); asked != 1 {
		t.Errorf("the processor was asked %d times", asked)
	}
}

func TestAConnectionGetsAFewReports(t *testing.T) {
	few := patient
	few.attests = rate{2, 0}
	g := serve(t, guestOptions{bounds: few})
	p := g.connect(clientConfig())
	p.attest(nonce)
	p.attest(nonce)
	p.refused("POST", "/attest", map[string]any{"nonce": nonce}, 429, "rate-limited")
	if _, _, header := p.call("POST", "/attest", map[string]any{"nonce": nonce}); header.Get("Retry-After") == "" {
		t.Error("it does not say when to ask again")
	}
	g.connect(clientConfig()).attest(nonce)
}

// held answers only once it is let, but for the report of the certificate.
type held struct {
	tee.Processor
	asked        atomic.Int32
	entered, let chan struct{}
}

func (h *held) Report(data [64]byte) (tee.Report, error) {
	if h.asked.Add(1) > 1 {
		h.entered <- struct{}{}
		<-h.let
	}
	return h.Processor.Report(data)
}

func TestAConnectionAsksForOneReportAtATime(t *testing.T) {
	h := &held{entered: make(chan struct{}), let: make(chan struct{})}
	few := patient
	few.connections, few.protect, few.hello = 2, 0, 0
	g := serve(t, guestOptions{bounds: few, through: func(p tee.Processor) tee.Processor {
		h.Processor = p
		return h
	}})
	p := g.connect(clientConfig())
	first := make(chan int)
	go func() {
		status, _, _ := p.call("POST", "/attest", map[string]any{"nonce": nonce})
		first <- status
	}()
	<-h.entered
	p.refused("POST", "/attest", map[string]any{"nonce": nonce}, 429, "rate-limited")
	p.refused("PUT", "/secrets/token", map[string]any{"value": nonce}, 403, "not-attested")
	// A connection that waits for its report keeps its place.
	for range 3 {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		if _, err := g.server.admit(ours); err != nil {
			t.Error(err)
		}
	}
	close(h.let)
	if status := <-first; status != 200 {
		t.Errorf("got %d", status)
	}
	go func() { <-h.entered }()
	p.attest(nonce)
}

func TestWhatTheGuestGivesInAllIsBounded(t *testing.T) {
	if refusal := refusalOf(evidence.ErrTooMany); refusal != jsonapi.ErrTooMany {
		t.Errorf("got %+v", refusal)
	}
}

func TestAFailureOfTheProcessorIsReported(t *testing.T) {
	g := serve(t, guestOptions{})
	p := g.connect(clientConfig())
	g.processor.Err = errors.New("the words of the processor")
	p.refused("POST", "/attest", map[string]any{"nonce": nonce}, 503, "processor-unavailable")
	_, answer, _ := p.call("POST", "/attest", map[string]any{"nonce": nonce})
	if strings.Contains(string(answer), "words") {
		t.Errorf("got %s", answer)
	}
}

func TestAnUnknownPathIsRefused(t *testing.T) {
	p := serve(t, guestOptions{}).connect(clientConfig())
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "not-found"},
		{"GET", "/v1/hello", 404, "not-found"},
		{"GET", "/attest", 405, "method-not-allowed"},
		{"POST", "/info", 405, "method-not-allowed"},
		{"GET", "/secrets/token", 405, "method-not-allowed"},
		{"PUT", "/secrets/", 404, "not-found"},
		{"PUT", "/secrets/a/b", 404, "not-found"},
		{"PUT", "/secrets/a%2fb", 404, "not-found"},
		{"POST", "/attest/", 404, "not-found"},
	} {
		p.refused(c.method, c.path, nil, c.status, c.code)
	}
	p.refused("GET", "/info", "x", 413, "too-large")
}
