package box_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/cgroup"
)

// fresh is an agent that has no spec yet; nothing that these tests ask for reaches the kernel.
func fresh(t *testing.T) *host {
	t.Helper()
	return serve(t, box.New(children, &cgroup.Cgroup{}, -1, nil))
}

func TestHelloNeedsNoVersion(t *testing.T) {
	h := fresh(t)
	response, err := h.client.Get("http://guest/v1/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(string(text), `{"protocol":{"minimum":1,"maximum":22},"agent":"test","kernel":"`) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestEveryOtherRouteNeedsAVersion(t *testing.T) {
	h := fresh(t)
	for _, version := range []string{"", "0", "23", "010", "01", "1.0", "x"} {
		request, err := http.NewRequest("GET", "http://guest/v1/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		if version != "" {
			request.Header.Set("a3s-protocol", version)
		}
		response, err := h.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("version %q: got %d", version, response.StatusCode)
		}
	}
}

func TestARequestBeforeTheSpecIsRefused(t *testing.T) {
	h := fresh(t)
	long := `{"signal":"` + strings.Repeat("x", 64<<10) + `"}`
	exec := `{"id":"a","process":{"args":["x"],"env":[],"cwd":"/","user":"","terminal":false,"stdin":false}}`
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"an unknown route":                {"GET", "/v1/nothing", "", 404, "not-found"},
		"a known route by another method": {"DELETE", "/v1/state", "", 404, "not-found"},
		"a trailing slash":                {"GET", "/v1/state/", "", 404, "not-found"},
		"a malformed id":                  {"GET", "/v1/processes/A", "", 404, "not-found"},
		"an id that is too long":          {"GET", "/v1/processes/" + strings.Repeat("a", 65), "", 404, "not-found"},
		"a start":                         {"POST", "/v1/processes/main/start", "", 409, "spec-missing"},
		"a start with a body":             {"POST", "/v1/processes/main/start", "{}", 400, "invalid"},
		"an exec":                         {"POST", "/v1/processes", exec, 409, "spec-missing"},
		"an exec called main":             {"POST", "/v1/processes", strings.Replace(exec, `"a"`, `"main"`, 1), 400, "invalid"},
		"an exec without arguments":       {"POST", "/v1/processes", strings.Replace(exec, `["x"]`, `[]`, 1), 400, "invalid"},
		"an exec with more keys":          {"POST", "/v1/processes", strings.Replace(exec, `"id"`, `"x":1,"id"`, 1), 400, "invalid"},
		"an exec that is too large":       {"POST", "/v1/processes", strings.Replace(exec, `"x"`, `"`+strings.Repeat("x", 4<<20)+`"`, 1), 413, "too-large"},
		"a process":                       {"GET", "/v1/processes/main", "", 409, "spec-missing"},
		"an exit":                         {"GET", "/v1/processes/main/exit", "", 409, "spec-missing"},
		"an output":                       {"POST", "/v1/processes/main/output?offset=0", "", 409, "spec-missing"},
		"an input":                        {"PUT", "/v1/processes/main/stdin", "x", 409, "spec-missing"},
		"a signal":                        {"POST", "/v1/processes/main/signal", `{"signal":"SIGTERM"}`, 409, "spec-missing"},
		"an unknown signal":               {"POST", "/v1/processes/main/signal", `{"signal":"SIGNOPE"}`, 400, "invalid"},
		"a signal twice":                  {"POST", "/v1/processes/main/signal", `{"signal":"1","signal":"2"}`, 400, "invalid"},
		"a signal with trailing bytes":    {"POST", "/v1/processes/main/signal", `{"signal":"1"}{}`, 400, "invalid"},
		"a signal that is too large":      {"POST", "/v1/processes/main/signal", long, 413, "too-large"},
		"counters":                        {"GET", "/v1/stats", "", 409, "spec-missing"},
		"a malformed spec":                {"PUT", "/v1/spec", `{"schema":1}`, 400, "invalid"},
		"a spec that is too large":        {"PUT", "/v1/spec", strings.Repeat(" ", 4<<20+1), 413, "too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			h.refuses(c.method, c.path, body, c.status, c.code)
		})
	}
	h.t = t
}

func TestHeadersAreBounded(t *testing.T) {
	h := fresh(t)
	request, err := http.NewRequest("GET", "http://guest/v1/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x", strings.Repeat("y", 17<<10))
	response, err := h.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestTheStateIsEmptyBeforeTheSpec(t *testing.T) {
	if status, text := fresh(t).call("GET", "/v1/state", nil); status != 200 || text != `{"spec":null,"processes":[]}` {
		t.Errorf("got %d %s", status, text)
	}
}

func TestNothingBeginsAfterPowerOff(t *testing.T) {
	h := fresh(t)
	if status, _ := h.call("POST", "/v1/poweroff", nil); status != http.StatusAccepted {
		t.Fatalf("got %d", status)
	}
	h.refuses("POST", "/v1/processes/main/start", nil, http.StatusConflict, "conflict")
	h.refuses("PUT", "/v1/spec", strings.NewReader(document), http.StatusConflict, "conflict")
	if status, _ := h.call("POST", "/v1/poweroff", nil); status != http.StatusAccepted {
		t.Errorf("again: got %d", status)
	}
}

func TestTheSameSpecIsAcceptedOnceMore(t *testing.T) {
	h := start(t, document)
	_, state := h.call("GET", "/v1/state", nil)
	status, again := h.call("PUT", "/v1/spec", strings.NewReader(document))
	digest := strings.TrimSuffix(again, "}")
	if status != http.StatusOK || !strings.HasPrefix(digest, `{"spec":"sha256:`) || !strings.HasPrefix(state, digest) {
		t.Errorf("got %d %s, and the state is %s", status, again, state)
	}
	status, other := h.call("PUT", "/v1/spec", strings.NewReader(document+"\n"))
	if status != http.StatusConflict || !strings.Contains(other, "conflict") {
		t.Errorf("another one: got %d %s", status, other)
	}
}
