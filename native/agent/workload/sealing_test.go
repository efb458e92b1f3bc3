package workload

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"a3s.dev/box/agent/sealing"
)

type sealed struct{ Envelope, Value, Key, Reference []byte }

func (a *agent) sealed(path string, body map[string]any) sealed {
	a.t.Helper()
	text, _ := json.Marshal(body)
	status, answer := a.call("POST", path, string(text))
	var document sealed
	if err := json.Unmarshal(answer, &document); err != nil || status != 200 {
		a.t.Fatalf("%s: got %d %s, %v", path, status, answer, err)
	}
	return document
}

func TestTheWorkloadSealsAndUnseals(t *testing.T) {
	a := plain(t)
	for _, value := range [][]byte{{}, []byte("x"), make([]byte, sealing.MaxValue)} {
		envelope := a.sealed("/v1/seal", map[string]any{"purpose": "db", "policy": "exact", "value": value}).Envelope
		opened := a.sealed("/v1/unseal", map[string]any{"purpose": "db", "envelope": envelope})
		if !bytes.Equal(opened.Value, value) {
			t.Errorf("got %d bytes", len(opened.Value))
		}
	}
}

func TestTheWorkloadDerivesAKeyAndGetsItAgain(t *testing.T) {
	a := plain(t)
	first := a.sealed("/v1/derive", map[string]any{"purpose": "db", "policy": "exact"})
	again := a.sealed("/v1/derive", map[string]any{"purpose": "db", "reference": first.Reference})
	if len(first.Key) != 32 || !bytes.Equal(again.Key, first.Key) || !bytes.Equal(again.Reference, first.Reference) {
		t.Errorf("got %x and %x", first, again)
	}
}

func TestTheWorkloadIsRefusedByTheRuleThatDecides(t *testing.T) {
	a := plain(t)
	envelope, _ := json.Marshal(a.sealed("/v1/seal", map[string]any{"purpose": "db", "policy": "exact", "value": []byte("x")}).Envelope)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/v1/seal", `{"purpose":"db","policy":"upgradable","value":""}`, 403, "sealing-policy"},
		{"/v1/seal", `{"purpose":"db","policy":"any","value":""}`, 400, "policy-unknown"},
		{"/v1/seal", `{"purpose":"DB","policy":"exact","value":""}`, 400, "purpose-malformed"},
		{"/v1/seal", `{"purpose":"db","policy":"exact","value":"","minimumSvn":1}`, 400, "minimum-svn"},
		{"/v1/seal", `{"purpose":"db","policy":"exact"}`, 400, "malformed"},
		{"/v1/seal", `{"purpose":"db","policy":"exact","value":"` + strings.Repeat("AAAA", sealing.MaxValue/3+1) + `"}`, 413, "value-too-large"},
		{"/v1/seal", strings.Repeat(" ", maxSealing+1), 413, "too-large"},
		{"/v1/unseal", `{"purpose":"tls","envelope":` + string(envelope) + `}`, 403, "sealed-purpose"},
		{"/v1/unseal", `{"purpose":"db","envelope":"AAAA"}`, 400, "envelope-malformed"},
		{"/v1/unseal", `{"purpose":"db"}`, 400, "malformed"},
		{"/v1/derive", `{"purpose":"db"}`, 400, "derive-malformed"},
		{"/v1/derive", `{"purpose":"db","policy":"exact","reference":"AAAA"}`, 400, "derive-malformed"},
		{"/v1/derive", `{"purpose":"db","policy":"exact","minimumTcb":"0000000000000000"}`, 400, "derive-malformed"},
		{"/v1/derive", `{"purpose":"db","reference":"AAAA"}`, 400, "envelope-malformed"},
		{"/v1/derive", `{"purpose":"db","policy":"upgradable"}`, 403, "sealing-policy"},
	} {
		a.refused("POST", c.path, c.body, c.status, c.code)
	}
	a.refused("GET", "/v1/seal", "", 405, "method-not-allowed")
}

func TestTheWorkloadIsRefusedWhatIsBelowItsFloor(t *testing.T) {
	a := plain(t)
	envelope, _ := json.Marshal(a.sealed("/v1/seal", map[string]any{"purpose": "db", "policy": "exact", "value": []byte("x")}).Envelope)
	reference, _ := json.Marshal(a.sealed("/v1/derive", map[string]any{"purpose": "db", "policy": "exact"}).Reference)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/v1/derive", `{"purpose":"db","reference":` + string(reference) + `,"minimumSvn":4294967295}`, 403, "below-minimum-svn"},
		{"/v1/derive", `{"purpose":"db","reference":` + string(reference) + `,"minimumTcb":"ffffffffffffffff"}`, 403, "below-minimum-tcb"},
		{"/v1/unseal", `{"purpose":"db","envelope":` + string(envelope) + `,"minimumSvn":4294967295}`, 403, "below-minimum-svn"},
		{"/v1/unseal", `{"purpose":"db","envelope":` + string(envelope) + `,"minimumTcb":"ffffffffffffffff"}`, 403, "below-minimum-tcb"},
		{"/v1/unseal", `{"purpose":"db","envelope":"AAAA","minimumTcb":"9"}`, 400, "minimum-tcb"},
		{"/v1/unseal", `{"purpose":"db","envelope":"AAAA","minimumSvn":-1}`, 400, "minimum-svn"},
	} {
		a.refused("POST", c.path, c.body, c.status, c.code)
	}
}
