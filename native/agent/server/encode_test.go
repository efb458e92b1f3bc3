package server

import (
	"encoding/json"
	"testing"

	"a3s.dev/box/agent/box/process"
)

// sameAsJSON insists that a document says what package encoding/json would.
func sameAsJSON(t *testing.T, document []byte, value any) {
	t.Helper()
	want, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var got, expected any
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if err := json.Unmarshal(want, &expected); err != nil {
		t.Fatal(err)
	}
	normal, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := json.Marshal(expected)
	if err != nil {
		t.Fatal(err)
	}
	if string(normal) != string(wanted) {
		t.Errorf("got %s, want %s", document, want)
	}
}

func TestVolumesOfALaunchAreNamedWhereThereAreAny(t *testing.T) {
	if got := appendVolumes([]byte(`{"a":1`), nil); string(got) != `{"a":1` {
		t.Errorf("got %s", got)
	}
	got := appendVolumes(nil, []Volume{{"a", "01", true}, {"b", "02", false}})
	if want := `,"volumes":[{"name":"a","id":"01","created":true},{"name":"b","id":"02","created":false}]`; string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestDocumentsAreJSON(t *testing.T) {
	signal, at := "SIGKILL", "2026-01-02T03:04:05.6Z"
	exit := &process.Exit{ExitCode: 137, Signal: &signal, OOMKilled: true, FinishedAt: at}
	ended := &process.Exit{ExitCode: 125, FinishedAt: at, Error: &process.ExitError{Code: "secrets-deadline", Message: "\"late\""}}
	for _, exit := range []*process.Exit{nil, {FinishedAt: at}, exit, ended} {
		sameAsJSON(t, appendExit(nil, exit), exit)
	}
	for _, report := range []process.Report{
		{ID: "main", State: process.StateCreated},
		{ID: "a", State: process.StateRunning, Pid: 7, StartedAt: &at, Written: 1<<53 - 1, Acknowledged: 1},
		{ID: "main", State: process.StateRunning, Pid: 1, StartedAt: &at, User: &process.User{UID: 1000, GID: 7, Groups: []uint32{7, 2000}}},
		{ID: "b", State: process.StateExited, Pid: 8, StartedAt: &at, Exit: exit},
	} {
		sameAsJSON(t, appendReport(nil, report), report)
	}
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	sameAsJSON(t, appendError(nil, "invalid", "x \"y\"", ""), map[string]body{"error": {"invalid", "x \"y\""}})
	ruled := map[string]map[string]string{"error": {"code": "volume-empty", "message": "x", "rule": "volumes"}}
	sameAsJSON(t, appendError(nil, "volume-empty", "x", "volumes"), ruled)
}

// FuzzText: any text gives the JSON string that package encoding/json reads as it would its own.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\/", "\x00\x1f\x7f", "ä€𝄞", "\xff\xfe", "\xed\xa0\x80", "a\xc3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsJSON(t, appendText(nil, text), text) })
}
