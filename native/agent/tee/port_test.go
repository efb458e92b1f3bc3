package tee

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/snp/snptest"
)

// host simulates the processor at the other end of the port: it answers each request with lines, or
// with none. Time passes only while it waits.
type host struct {
	answer func(request map[string]any) []string
	sent   []string
	heard  []string
	time   time.Time
	fails  error
}

func (h *host) Send(data []byte, _ time.Time) error {
	if h.fails != nil {
		return h.fails
	}
	h.sent = append(h.sent, string(data))
	var request map[string]any
	if err := json.Unmarshal(data, &request); err != nil {
		return err
	}
	h.heard = append(h.heard, h.answer(request)...)
	return nil
}

func (h *host) Receive(until time.Time) ([]byte, error) {
	if len(h.heard) == 0 {
		h.time = until
		return nil, errTime
	}
	line := h.heard[0]
	h.heard = h.heard[1:]
	return []byte(line), nil
}

func portTo(h *host) *port {
	p := newPort(h)
	p.now = func() time.Time { return h.time }
	count := 0
	p.identify = func() string { count++; return fmt.Sprintf("%016x", count) }
	return p
}

// reportFor is a report over what was asked for.
func reportFor(t *testing.T, request map[string]any) string {
	t.Helper()
	data, err := hex.DecodeString(request["reportData"].(string))
	if err != nil {
		t.Fatal(err)
	}
	report := snptest.Report([64]byte(data), [48]byte{}, [32]byte{})
	return base64.StdEncoding.EncodeToString(report)
}

func reportLine(t *testing.T, request map[string]any) string {
	return fmt.Sprintf(`{"id":%q,"report":%q,"certificates":"dGFibGU="}`, request["id"], reportFor(t, request))
}

func TestThePortAsksForAReport(t *testing.T) {
	h := &host{}
	h.answer = func(request map[string]any) []string { return []string{reportLine(t, request)} }
	data := [64]byte{1, 63: 2}
	report, err := portTo(h).Report(data)
	if err != nil {
		t.Fatal(err)
	}
	if string(report.Certificates) != "table" || check(report.Report, data) != nil {
		t.Errorf("got %+v", report)
	}
	want := "\n" + `{"id":"0000000000000001","op":"report","reportData":"` + hex.EncodeToString(data[:]) + `"}` + "\n"
	if len(h.sent) != 1 || h.sent[0] != want {
		t.Errorf("sent %q, want %q", h.sent, want)
	}
}

func TestThePortPassesOverWhatIsNoAnswerToIt(t *testing.T) {
	h := &host{}
	h.answer = func(request map[string]any) []string {
		other := strings.Replace(reportLine(t, request), `"id":"0`, `"id":"f`, 1)
		return []string{"", "noise", other, `{"id":"0000000000000001","more":1}`, "[]", reportLine(t, request)}
	}
	if _, err := portTo(h).Report([64]byte{}); err != nil {
		t.Error(err)
	}
}

func TestThePortAsksAnewUnderAnotherName(t *testing.T) {
	h := &host{}
	var late string
	h.answer = func(request map[string]any) []string {
		if len(h.sent) == 1 {
			late = reportLine(t, request)
			return nil
		}
		return []string{late, reportLine(t, request)}
	}
	start := h.time
	if _, err := portTo(h).Report([64]byte{}); err != nil {
		t.Fatal(err)
	}
	if len(h.sent) != 2 || h.time.Sub(start) != attemptTime || !strings.Contains(h.sent[1], "0000000000000002") {
		t.Errorf("sent %q in %s", h.sent, h.time.Sub(start))
	}
}

func TestThePortGivesUp(t *testing.T) {
	h := &host{answer: func(map[string]any) []string { return nil }}
	start := h.time
	if _, err := portTo(h).Report([64]byte{}); !errors.Is(err, ErrSilent) {
		t.Errorf("got %v", err)
	}
	if len(h.sent) != int(timeout/attemptTime) || h.time.Sub(start) != timeout {
		t.Errorf("%d requests in %s", len(h.sent), h.time.Sub(start))
	}
	broken := errors.New("broken")
	if _, err := portTo(&host{fails: broken}).Report([64]byte{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestThePortRefusesWhatIsNoReportOverItsData(t *testing.T) {
	for name, line := range map[string]func(request map[string]any) string{
		"another's": func(request map[string]any) string {
			report := snptest.Report([64]byte{9}, [48]byte{}, [32]byte{})
			return fmt.Sprintf(`{"id":%q,"report":%q,"certificates":""}`, request["id"], base64.StdEncoding.EncodeToString(report))
		},
		"short": func(request map[string]any) string {
			return fmt.Sprintf(`{"id":%q,"report":"AAAA","certificates":""}`, request["id"])
		},
		"not base64": func(request map[string]any) string {
			return fmt.Sprintf(`{"id":%q,"report":"A","certificates":""}`, request["id"])
		},
		"a key": func(request map[string]any) string {
			return fmt.Sprintf(`{"id":%q,"key":%q}`, request["id"], strings.Repeat("ab", 32))
		},
		"nothing": func(request map[string]any) string { return fmt.Sprintf(`{"id":%q}`, request["id"]) },
	} {
		h := &host{answer: func(request map[string]any) []string { return []string{line(request)} }}
		if _, err := portTo(h).Report([64]byte{}); !errors.Is(err, ErrReport) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestThePortTellsOfARefusal(t *testing.T) {
	h := &host{answer: func(request map[string]any) []string {
		return []string{fmt.Sprintf(`{"id":%q,"error":{"code":"refused","message":"no"}}`, request["id"])}
	}}
	var refusal *Refusal
	if _, err := portTo(h).Report([64]byte{}); !errors.As(err, &refusal) || refusal.Code != "refused" || refusal.Message != "no" {
		t.Errorf("got %v", err)
	}
	if _, err := portTo(h).DeriveKey(KeyRequest{}); !errors.As(err, &refusal) {
		t.Errorf("got %v", err)
	}
}

func TestThePortAsksForAKey(t *testing.T) {
	key := strings.Repeat("ab", 32)
	h := &host{}
	h.answer = func(request map[string]any) []string {
		return []string{fmt.Sprintf(`{"id":%q,"key":%q}`, request["id"], key)}
	}
	p := portTo(h)
	got, err := p.DeriveKey(KeyRequest{VMRK, FieldPolicy | FieldMeasurement | FieldTCB, 1, 2, 1<<64 - 1})
	if err != nil || hex.EncodeToString(got[:]) != key {
		t.Errorf("got %x, %v", got, err)
	}
	if _, err := p.DeriveKey(KeyRequest{}); err != nil {
		t.Error(err)
	}
	want := []string{
		"\n" + `{"id":"0000000000000001","op":"derive-key","rootKey":"VMRK","fields":["policy","measurement","tcb"],` +
			`"vmpl":1,"guestSvn":2,"tcb":"18446744073709551615"}` + "\n",
		"\n" + `{"id":"0000000000000002","op":"derive-key","rootKey":"VCEK","fields":[],"vmpl":0,"guestSvn":0,"tcb":"0"}` + "\n",
	}
	if len(h.sent) != 2 || h.sent[0] != want[0] || h.sent[1] != want[1] {
		t.Errorf("sent %q, want %q", h.sent, want)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("zz", 32), strings.Repeat("00", 32)} {
		key = bad
		if _, err := p.DeriveKey(KeyRequest{}); !errors.Is(err, ErrKey) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
