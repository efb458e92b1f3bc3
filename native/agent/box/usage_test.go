package box_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

type entry struct {
	Pid, PPid, UID, GID int
	User, State         string
	Threads             int
	Name                string
	Args                []string
}

func (h *host) top() []entry {
	h.t.Helper()
	status, text := h.call("GET", "/v1/top", nil)
	var list struct{ Processes []entry }
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK {
		h.t.Fatalf("got %d %s, %v", status, text, err)
	}
	return list.Processes
}

// latest is a box whose host speaks the last version.
func latest(t *testing.T, spec string) *host {
	h := start(t, spec)
	h.version = "4"
	return h
}

func TestTheProcessesOfTheBoxAreListed(t *testing.T) {
	h := latest(t, document)
	p := command{Args: []string{"busybox", "sleep", "1000"}, Env: []string{"PATH=/bin"}, Cwd: "/", User: "app"}
	h.launch("s", p)
	got := h.top()
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	main, other := got[0], got[1]
	if main.Pid != 1 || main.PPid != 0 || main.UID != 0 || main.User != "root" || main.Threads != 1 || strings.Join(main.Args, " ") != "/bin/busybox cat" {
		t.Errorf("main is %+v", main)
	}
	if other.UID != 1000 || other.User != "app" || other.GID != 1000 || strings.Join(other.Args, " ") != "busybox sleep 1000" {
		t.Errorf("the other is %+v", other)
	}
}

func TestTheAccountsOfTheBoxAreNotBelieved(t *testing.T) {
	h := latest(t, document)
	for content, want := range map[string]string{
		`"\033[2J:x:0:0::/:"`: "", `":x:0:0::/:"`: "", `"evil\nroot:x:0:0::/:"`: "root", `"` + strings.Repeat("x", 100) + `:x:0:0::/:"`: "",
	} {
		h.run("w"+strconv.Itoa(len(content)), script(`printf `+content+` > /etc/passwd`))
		if got := h.top(); got[0].User != want {
			t.Errorf("%s: got %q", content, got[0].User)
		}
	}
	h.run("l", script("rm -f /etc/passwd; busybox ln -s /proc/self/environ /etc/passwd"))
	if got := h.top(); got[0].User != "" {
		t.Errorf("got %q", got[0].User)
	}
	h.run("f", script("busybox rm -f /etc/passwd; busybox mkfifo /etc/passwd"))
	if got := h.top(); got[0].User != "" {
		t.Errorf("got %q", got[0].User)
	}
}

func TestWhatTheBoxMountsOverItsProcessesIsNotRead(t *testing.T) {
	h := latest(t, strings.NewReplacer(`"CAP_CHOWN",`, `"CAP_CHOWN","CAP_SYS_ADMIN",`).Replace(document))
	got, exit := h.run("m", script("busybox mount -o bind /etc/passwd /proc/1/stat && busybox mount -t tmpfs none /proc/1/task; busybox cat /proc/1/stat"))
	if exit.ExitCode != 0 || !strings.HasPrefix(got, "root:") {
		t.Skipf("the box cannot mount here: %s", got)
	}
	for _, entry := range h.top() {
		if entry.Pid == 1 {
			t.Errorf("got %+v", entry)
		}
	}
}

func TestArgumentsThatAreNotTextAreReplaced(t *testing.T) {
	h := latest(t, document)
	h.launch("t", script(`exec busybox sh -c 'echo ready; busybox sleep 1000; true' "$(printf 'a\377"\001')"`))
	h.awaitOutput("t", "ready\n")
	_, text := h.call("GET", "/v1/top", nil)
	if !strings.Contains(text, `"a\ufffd\"\u0001"`) || !json.Valid([]byte(text)) {
		t.Errorf("got %s", text)
	}
}

func TestCountersAreSentToHostsThatKnowThem(t *testing.T) {
	h := start(t, document)
	const usual = `{"memoryBytes":4096,"memoryPeakBytes":8192,"cpuUsec":30,"pids":3`
	for _, version := range []string{"1", "3"} {
		h.version = version
		if _, got := h.call("GET", "/v1/stats", nil); got != usual+"}" {
			t.Errorf("version %s: got %s", version, got)
		}
	}
	h.version = "4"
	_, got := h.call("GET", "/v1/stats", nil)
	for _, part := range []string{
		usual + `,"detail":{"readAt":"2`, `"userUsec":20,"kernelUsec":10,"throttled":{"periods":7,"throttledPeriods":2,"throttledUsec":9},`,
		`"memoryLimitBytes":1048576,"pidsLimit":0,"memory":{"anon":1024,"inactive_file":2048},"oomKills":0,`,
		`"io":[{"device":"254:0","readBytes":1,"writtenBytes":2,"reads":3,"writes":4}],"networks":[`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
	if !json.Valid([]byte(got)) {
		t.Errorf("got %s", got)
	}
}

func TestOlderHostsHaveNothingOfVersionFour(t *testing.T) {
	h := start(t, document)
	h.version = "3"
	for _, route := range [][2]string{{"GET", "/v1/top"}, {"PUT", "/v1/resources"}, {"GET", "/v1/processes/main/ended"}} {
		h.refuses(route[0], route[1], nil, http.StatusNotFound, "not-found")
	}
	body := strings.Replace(readAll(t, h.body("g", script("true"))), `{"id"`, `{"group":true,"id"`, 1)
	h.refuses("POST", "/v1/processes", strings.NewReader(body), http.StatusBadRequest, "invalid")
}

func TestAGroupThatCannotBeMadeLeavesNothing(t *testing.T) {
	h := latest(t, document)
	body := strings.Replace(readAll(t, h.body("g", script("true"))), `{"id"`, `{"group":true,"id"`, 1)
	// The group of a test is a directory, where no control group can be made.
	h.refuses("POST", "/v1/processes", strings.NewReader(body), http.StatusInternalServerError, "setup-failed")
	if got, _ := h.run("g", script("echo again")); got != "again\n" {
		t.Errorf("got %q", got)
	}
}

func TestAnExitIsAnsweredBeforeTheOutputHasEnded(t *testing.T) {
	h := latest(t, document)
	// More than the agent keeps of an output that nobody takes.
	h.launch("y", script("busybox yes & exit 5"))
	if _, got := h.call("GET", "/v1/processes/y/ended", nil); !strings.HasPrefix(got, `{"exitCode":5,"signal":null`) {
		t.Errorf("got %s", got)
	}
	h.refuses("GET", "/v1/processes/none/ended", nil, http.StatusNotFound, "not-found")
}

func TestNothingIsStartedInAFrozenBox(t *testing.T) {
	h := latest(t, document)
	if status, text := h.call("POST", "/v1/freeze", nil); status != http.StatusNoContent {
		t.Fatal(text)
	}
	for version, code := range map[string]string{"5": "conflict", "6": "frozen"} {
		h.version = version
		h.refuses("POST", "/v1/processes", h.body("e", script("true")), http.StatusConflict, code)
	}
	if status, text := h.call("POST", "/v1/thaw", nil); status != http.StatusNoContent {
		t.Fatal(text)
	}
	if _, exit := h.run("e", script("true")); exit.ExitCode != 0 {
		t.Errorf("got %+v", exit)
	}
}

func TestLimitsAreReplacedAsAWhole(t *testing.T) {
	h := latest(t, document)
	put := func(body string) {
		t.Helper()
		if status, text := h.call("PUT", "/v1/resources", strings.NewReader(body)); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", body, status, text)
		}
	}
	limits := func() string {
		t.Helper()
		var all []string
		for _, file := range []string{"memory.max", "cpu.max", "pids.max", "memory.low", "cpu.weight"} {
			all = append(all, h.group(file))
		}
		return strings.Join(all, " ")
	}
	put(`{"memoryBytes":8388608,"cpuMillis":500,"pids":9,"memoryReservationBytes":4096,"cpuWeight":7,"ulimits":[{"name":"nofile","soft":11,"hard":12}]}`)
	if got := limits(); got != "8388608 50000 100000 9 4096 7" {
		t.Errorf("got %s", got)
	}
	if got, _ := h.run("a", script("ulimit -n; ulimit -Hn")); got != "11\n12\n" {
		t.Errorf("got %q", got)
	}
	for _, body := range []string{`{"pids":0}`, `{"memory":1}`, `{"cpuWeight":10001}`, ``, `{"ulimits":[{"name":"cpu","soft":2,"hard":1}]}`} {
		h.refuses("PUT", "/v1/resources", strings.NewReader(body), http.StatusBadRequest, "invalid")
	}
	h.refuses("PUT", "/v1/resources", strings.NewReader(`{"memoryBytes":9007199254740991,"pids":5}`), http.StatusConflict, "conflict")
	if got := limits(); got != "8388608 50000 100000 9 4096 7" {
		t.Errorf("after what was refused: got %s", got)
	}
	put(`{}`)
	if got := limits(); !strings.HasSuffix(got, " max 100000 max 0 100") || strings.HasPrefix(got, "8388608 ") {
		t.Errorf("got %s", got)
	}
	if got, _ := h.run("b", script("ulimit -n")); got == "11\n" {
		t.Errorf("got %q", got)
	}
}
