package box_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// initial is a box whose main process has an init.
func initial(args string, more ...string) string {
	changes := append(more, `"resources":{}`, `"resources":{},"init":true`, `["/bin/busybox","cat"]`, args)
	return strings.NewReplacer(changes...).Replace(document)
}

func TestTheInitHasTheMainProcessAsItsChild(t *testing.T) {
	h := start(t, initial(`["/bin/busybox","sh","-c","read line; exit 7"]`))
	h.version = "4"
	pid := h.pid("main")
	got, _ := h.run("a", script("busybox tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm; busybox ls /proc/1/task | busybox wc -l; busybox ls /proc/1/fd | busybox wc -l; busybox awk '/PPid/{print $2}' /proc/"+pid+"/status"))
	want := "/dev/init -- /bin/busybox sh -c read line; exit 7 init\n1\n0\n1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h.call("PUT", "/v1/processes/main/stdin", strings.NewReader("x\n"))
	if got := h.exit("main"); got.ExitCode != 7 || got.Signal != nil {
		t.Errorf("got %+v", got)
	}
}

func TestTheInitIsConfinedAsTheMainProcess(t *testing.T) {
	h := start(t, initial(`["/bin/busybox","cat"]`, `"noNewPrivileges":false`, `"noNewPrivileges":true`, `"user":""`, `"user":"app"`,
		`"resources":{}`, `"resources":{"ulimits":[{"name":"as","soft":67108864,"hard":67108864},{"name":"nofile","soft":20,"hard":30}]},"init":true`))
	show := "busybox grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp:)' /proc/$p/status; cat /proc/$p/limits; readlink /proc/$p/root"
	got, _ := h.run("a", script("p=1; "+show+"; echo ==; p="+h.pid("main")+"; "+show))
	first, second, _ := strings.Cut(got, "==\n")
	if first != second || !strings.Contains(first, "CapEff:\t0000000000000000") || !strings.Contains(first, "NoNewPrivs:\t1") ||
		!strings.Contains(first, "Seccomp:\t2") || !strings.Contains(strings.Join(strings.Fields(first), " "), "Max open files 20 30 files") {
		t.Errorf("got %q and %q", first, second)
	}
}

func TestTheInitForwardsSignals(t *testing.T) {
	for signal, want := range map[string]string{"SIGHUP": "1", "SIGTERM": "15", "SIGUSR1": "10", "SIGWINCH": "28", "SIGRTMIN+2": "36"} {
		t.Run(signal, func(t *testing.T) {
			h := start(t, initial(`["/bin/busybox","sh","-c","trap 'echo got; exit 3' `+want+`; echo ready; while :; do busybox sleep 0.05; done"]`))
			h.awaitOutput("main", "ready\n")
			if status, text := h.call("POST", "/v1/processes/main/signal", strings.NewReader(`{"signal":"`+signal+`"}`)); status != http.StatusNoContent {
				t.Fatal(text)
			}
			if got := h.exit("main"); got.ExitCode != 3 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// pid is that of a process inside the box; where main has an init, it is not 1.
func (h *host) pid(id string) string {
	h.t.Helper()
	_, text := h.call("GET", "/v1/processes/"+id, nil)
	var report struct{ Pid int }
	if err := json.Unmarshal([]byte(text), &report); err != nil || report.Pid < 2 {
		h.t.Fatalf("got %s", text)
	}
	return strconv.Itoa(report.Pid)
}

// awaitOutput returns when a process has written this first.
func (h *host) awaitOutput(id, want string) {
	h.t.Helper()
	response, err := h.request("POST", "/v1/processes/"+id+"/output?offset=0", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	for got := ""; len(got) < len(want); {
		_, _, payload, err := readFrame(response.Body)
		got += string(payload)
		if err != nil || !strings.HasPrefix(want, got) {
			h.t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestTheInitExitsAsTheMainProcess(t *testing.T) {
	for text, want := range map[string]int{"exit 0": 0, "exit 255": 255, "kill -TERM $$": 143, "kill -KILL $$": 137, "kill -36 $$": 164} {
		h := start(t, initial(`["/bin/busybox","sh","-c","`+text+`"]`))
		if got := h.exit("main"); got.ExitCode != want || got.Signal != nil || got.OOMKilled {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestTheInitReapsWhatIsLeftToIt(t *testing.T) {
	h := start(t, initial(`["/bin/busybox","cat"]`))
	h.run("a", script("for i in 1 2 3 4 5 6 7 8; do (busybox sleep 0 &) ; done"))
	got, _ := h.run("b", script("until ! busybox grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do busybox sleep 0.01; done >/dev/null; echo none"))
	if got != "none\n" {
		t.Errorf("got %q", got)
	}
}

func TestTheInitGivesTheTerminalToItsChild(t *testing.T) {
	h := start(t, initial(`["/bin/busybox","sh","-c","busybox tty; trap 'echo stopped; exit 5' INT; echo ready; while :; do busybox sleep 0.05; done"]`,
		`"terminal":false`, `"terminal":true`))
	h.awaitOutput("main", "/dev/pts/0\r\nready\r\n")
	h.call("PUT", "/v1/processes/main/stdin", strings.NewReader("\x03"))
	if got := h.exit("main"); got.ExitCode != 5 {
		t.Errorf("got %+v", got)
	}
	if got := normal(h.output("main")); !strings.HasSuffix(got, "stopped\n") {
		t.Errorf("got %q", got)
	}
}

func TestAnInitReportsACommandThatCannotBeExecuted(t *testing.T) {
	h := prepared(t, initial(`["/bin/bad"]`))
	h.refuses("POST", "/v1/processes/main/start", nil, http.StatusUnprocessableEntity, "command-not-executable")
}
