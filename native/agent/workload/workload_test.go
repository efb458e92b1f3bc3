package workload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi/jsonapitest"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/server"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/strictjson"
	"a3s.dev/box/agent/tee/teetest"
)

var (
	specText = []byte(`{"schema":"a3s-box/launch-spec/v1"}`)
	instance = [16]byte{1}
	data     = bytes.Repeat([]byte{7}, 64)
)

// agent is one that a workload talks to.
type agent struct {
	t         *testing.T
	processor *teetest.Fake
	client    *http.Client
	opened    []server.Volume
	services  *Services
}

func (a *agent) volumes() []server.Volume { return a.opened }

// answering serves on a socket, and reaches it by a path.
func answering(t *testing.T, l *Listener, path string) *agent {
	t.Helper()
	a := &agent{t: t, processor: &teetest.Fake{}}
	source := evidence.New(evidence.Config{
		Processor: a.processor, Simulated: true, Instance: instance, SpecDigest: sha256.Sum256(specText), SpecText: specText,
	})
	served := make(chan error)
	report := &snp.Report{HostData: sha256.Sum256(specText), Measurement: [48]byte{1}}
	sealer := sealing.New(sealing.Config{Processor: a.processor, Simulated: true, Report: report, Sealing: "exact"})
	a.services = &Services{Evidence: source, Sealer: sealer.Workload(), Volumes: a.volumes}
	go func() { served <- Serve(l, a.services) }()
	t.Cleanup(func() {
		_ = l.Close()
		<-served
	})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	a.client = &http.Client{Transport: transport}
	return a
}

func plain(t *testing.T) *agent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return answering(t, newListener(-1, socket), path)
}

func (a *agent) call(method, path, body string) (int, []byte) {
	a.t.Helper()
	request, err := http.NewRequest(method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := a.client.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	jsonapitest.Read(a.t, openAPI).Hold(a.t, method+" "+request.URL.Path, response.StatusCode, answer)
	return response.StatusCode, answer
}

func (a *agent) refused(method, path, body string, status int, code string) {
	a.t.Helper()
	got, answer := a.call(method, path, body)
	var document struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(answer, &document); err != nil || got != status || document.Error.Code != code || document.Error.Message == "" {
		a.t.Errorf("%s %s: got %d %s, want %d %s", method, path, got, answer, status, code)
	}
}

func asked(data []byte) string {
	body, _ := json.Marshal(map[string]any{"data": data})
	return string(body)
}

func TestEvidenceIsOfTheWorkloadsPurpose(t *testing.T) {
	a := plain(t)
	status, answer := a.call("POST", "/v1/evidence", asked(data))
	var document evidence.Document
	if err := json.Unmarshal(answer, &document); err != nil || status != 200 {
		t.Fatalf("got %d %s, %v", status, answer, err)
	}
	digest := sha256.Sum256(specText)
	want := sha512.Sum512(evidence.Items(
		[]byte("a3s-box/report-data/v1"), []byte("workload"), nil, data, nil, []byte("workload"), instance[:], digest[:],
	))
	if !bytes.Equal(document.Evidence.Report[0x50:0x90], want[:]) {
		t.Error("the report is over something else")
	}
	if document.Evidence.TEE != "simulated" || document.Instance != "01000000000000000000000000000000" || !bytes.Equal(document.Spec, specText) {
		t.Errorf("got %+v", document)
	}
}

// TestNoOtherPurposeCanBeAskedFor: the API has no word for one, and takes no more than it knows.
func TestNoOtherPurposeCanBeAskedFor(t *testing.T) {
	a := plain(t)
	for _, more := range []string{
		`"purpose":"ra-tls-session"`, `"role":"server"`, `"spki":"AA=="`, `"exporter":"AA=="`, `"nonce":"AA=="`, `"reportData":"AA=="`, `"Data":"AA=="`,
		`"data":"AA=="`,
	} {
		a.refused("POST", "/v1/evidence", strings.Replace(asked(data), "}", ","+more+"}", 1), 400, "malformed")
	}
	if n := len(a.processor.Asked()); n != 0 {
		t.Errorf("the processor was asked %d times", n)
	}
	for _, path := range []string{"/v1/evidence?purpose=ra-tls-session", "/v1/evidence#ra-tls-session"} {
		if status, _ := a.call("POST", path, asked(data)); status != 200 {
			t.Errorf("got %d", status)
		}
	}
	for _, over := range a.processor.Asked() {
		if over != a.processor.Asked()[0] {
			t.Errorf("a report is over %x", over)
		}
	}
}

func TestAMalformedRequestIsRefused(t *testing.T) {
	a := plain(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/v1/evidence", asked(data[:63]), 400, "data-length"},
		{"POST", "/v1/evidence", asked(append(bytes.Clone(data), 0)), 400, "data-length"},
		{"POST", "/v1/evidence", `{"data":""}`, 400, "data-length"},
		{"POST", "/v1/evidence", `{}`, 400, "malformed"},
		{"POST", "/v1/evidence", ``, 400, "malformed"},
		{"POST", "/v1/evidence", `{"data":"!"}`, 400, "malformed"},
		{"POST", "/v1/evidence", strings.Repeat(" ", maxBody+1), 413, "too-large"},
		{"GET", "/v1/evidence", ``, 405, "method-not-allowed"},
		{"POST", "/v1/identity", ``, 405, "method-not-allowed"},
		{"GET", "/v1/identity", `x`, 413, "too-large"},
		{"POST", "/attest", `{}`, 404, "not-found"},
		{"GET", "/v1/hello", ``, 404, "not-found"},
		{"GET", "/", ``, 404, "not-found"},
	} {
		a.refused(c.method, c.path, c.body, c.status, c.code)
	}
	if n := len(a.processor.Asked()); n != 0 {
		t.Errorf("the processor was asked %d times", n)
	}
}

func TestAFailureOfTheProcessorIsReported(t *testing.T) {
	a := plain(t)
	a.processor.Err = errors.New("its own words")
	a.refused("POST", "/v1/evidence", asked(data), 503, "processor-unavailable")
	if _, answer := a.call("POST", "/v1/evidence", asked(data)); bytes.Contains(answer, []byte("words")) {
		t.Errorf("got %s", answer)
	}
}

func TestIdentityIsThatOfTheGuest(t *testing.T) {
	a := plain(t)
	status, answer := a.call("GET", "/v1/identity", "")
	var document struct{ TEE, Instance, SpecDigest string }
	if err := json.Unmarshal(answer, &document); err != nil || status != 200 || document.TEE != "simulated" ||
		document.Instance != "01000000000000000000000000000000" || len(document.SpecDigest) != 64 {
		t.Errorf("got %d %s, %v", status, answer, err)
	}
}

func TestAWorkloadSeesWhichVolumesWereMade(t *testing.T) {
	a := plain(t)
	if status, answer := a.call("GET", "/v1/volumes", ""); status != 200 || string(answer) != `{"volumes":[]}` {
		t.Errorf("got %d %s", status, answer)
	}
	a.opened = []server.Volume{{Name: "data", ID: strings.Repeat("0a", 16), Created: true}}
	want := `{"volumes":[{"name":"data","id":"` + strings.Repeat("0a", 16) + `","created":true}]}`
	if status, answer := a.call("GET", "/v1/volumes", ""); status != 200 || string(answer) != want {
		t.Errorf("got %d %s", status, answer)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	if refusal := refusalOf(evidence.ErrTooMany); refusal.Status != 429 || refusal.Code != "rate-limited" {
		t.Errorf("got %+v", refusal)
	}
}

// FuzzEvidence: a body is 64 bytes, or nothing is asked of the processor.
func FuzzEvidence(f *testing.F) {
	f.Add([]byte(asked(data)))
	f.Add([]byte(`{"data":"","data":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		processor := &teetest.Fake{}
		document, err := proof(&Services{Evidence: evidence.New(evidence.Config{Processor: processor})}, body)
		if taken := len(processor.Asked()) == 1; taken != (err == nil) {
			t.Fatalf("got %v, %v", document, err)
		}
		var read struct{ Data []byte }
		if err == nil && (json.Unmarshal(body, &read) != nil || len(read.Data) != dataSize) {
			t.Fatalf("took %q", body)
		}
		var malformed *strictjson.Error
		if err != nil && !errors.As(err, &malformed) && err != errData {
			t.Fatalf("got %v", err)
		}
	})
}
