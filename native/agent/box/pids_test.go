package box_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const podPids = `"pids":{"kind":"pod"}`

// joined returns a host that speaks to a container that shares a PID namespace, whose main process
// was started.
func (h *host) joined(id, script, pids string) *host {
	h.t.Helper()
	c := *h
	c.below = "/v1/containers/" + id
	h.answers("PUT", c.below, joinedDocument(script, pids), http.StatusOK)
	c.answers("POST", "/v1/processes/main/start", "", http.StatusOK)
	return &c
}

func joinedDocument(script, pids string) string {
	return strings.Replace(containerDocument(script), `"resources":{}`, `"resources":{},`+pids, 1)
}

func TestContainersShareThePidNamespaceOfTheirPod(t *testing.T) {
	h := pod(t)
	first, second := h.joined("c1", "exec sleep 1000", podPids), h.joined("c2", "exec sleep 2000", podPids)
	own := h.container("c3", "exec sleep 3000")
	const ids = "for n in pid mnt cgroup; do readlink /proc/self/ns/$n; done"
	one, _ := first.run("ids", script(ids))
	two, _ := second.run("ids", script(ids))
	three, _ := own.run("ids", script(ids))
	a, b, c := strings.Fields(one), strings.Fields(two), strings.Fields(three)
	if a[0] != b[0] || a[0] == c[0] || a[1] == b[1] {
		t.Errorf("got %v, %v and %v", a, b, c)
	}
	const list = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done"
	seen, _ := first.run("list", script(list))
	if !strings.Contains(seen, "/init") || !strings.Contains(seen, "sleep 1000") || !strings.Contains(seen, "sleep 2000") || strings.Contains(seen, "sleep 3000") {
		t.Errorf("got %q", seen)
	}
	if got, _ := own.run("list", script(list)); strings.Contains(got, "sleep 1000") {
		t.Errorf("got %q", got)
	}
	// Each has the root that is its own.
	first.run("write", script("echo mine >/tmp/file"))
	if got, _ := second.run("read", script("ls /tmp")); got != "" {
		t.Errorf("got %q", got)
	}
	if got, _ := first.run("top", script("kill "+second.pid("main"))); got != "" {
		t.Errorf("got %q", got)
	}
	if e := second.exit("main"); e.Signal == nil || *e.Signal != "SIGTERM" {
		t.Errorf("got %+v", e)
	}
	if _, text := first.call("GET", "/v1/processes/main", nil); !strings.Contains(text, `"running"`) || !strings.Contains(text, `"user":{"uid":0`) {
		t.Errorf("got %s", text)
	}
	// What the ended container runs ends with its main process.
	for range 100 {
		if content, _ := os.ReadFile(h.groupDir + "/c2/cgroup.kill"); string(content) == "1" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the group of the container was not killed")
}

func TestProcessOneOfAPodHasNothingForItsContainers(t *testing.T) {
	h := pod(t)
	c := h.joined("c1", "exec sleep 1000", podPids)
	got, _ := c.run("a", script(`cat /proc/1/comm; grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status; ls -a /proc/1/root; { echo x >/proc/1/root/file; } 2>&1`))
	lines := strings.Split(got, "\n")
	want := []string{"init", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", ".", "..", "init"}
	if len(lines) < len(want)+1 || strings.Join(lines[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(got, "Read-only") {
		t.Errorf("got %q", got)
	}
	// Signals do not end it, and it reaps those that have lost their parents.
	got, _ = c.run("b", script(`kill 1; kill -9 1; (sleep 0.1 & ); i=0; while [ $i -lt 100 ] && ls -d /proc/[0-9]* | while read p; do cat $p/comm; done 2>&1 | grep -q '^sleep$' && ps | grep -q 'sleep 0.1'; do sleep 0.05; i=$((i+1)); done; grep -l '^State:.Z' /proc/[0-9]*/status; cat /proc/1/comm`))
	if got != "init\n" {
		t.Errorf("got %q", got)
	}
}

func TestAContainerJoinsThePidNamespaceOfAnother(t *testing.T) {
	h := pod(t)
	target := h.container("target", "exec sleep 1000")
	const join = `"pids":{"kind":"container","id":"target"}`
	debugger := h.joined("debugger", "exec sleep 2000", join)
	got, _ := debugger.run("a", script("tr '\\0' ' ' </proc/1/cmdline; readlink /proc/self/ns/pid"))
	want, _ := target.run("a", script("readlink /proc/self/ns/pid"))
	if got != "sleep 1000 "+want {
		t.Errorf("got %q, want %q", got, want)
	}
	// It ends, and the target runs on.
	debugger.answers("POST", "/v1/processes/main/signal", `{"signal":"SIGKILL"}`, http.StatusNoContent)
	debugger.exit("main")
	h.removes("debugger")
	if got, _ := target.run("b", script("cat /proc/1/comm")); got != "sleep\n" {
		t.Errorf("got %q", got)
	}
	// With process 1 of the target all end.
	again := h.joined("again", "exec sleep 3000", join)
	target.answers("POST", "/v1/processes/main/signal", `{"signal":"SIGKILL"}`, http.StatusNoContent)
	if e := again.exit("main"); e.Signal == nil || *e.Signal != "SIGKILL" {
		t.Errorf("got %+v", e)
	}
	target.exit("main")
	for id, status := range map[string]int{"target": http.StatusConflict, "nobody": http.StatusNotFound} {
		document := joinedDocument("exec sleep 1", `"pids":{"kind":"container","id":"`+id+`"}`)
		h.answers("PUT", "/v1/containers/late"+id, document, status)
	}
}

func TestAPodWithoutSharedPidsHasNoProcessOfItsOwn(t *testing.T) {
	h := pod(t)
	h.container("c1", "exec sleep 1000")
	if _, err := os.Stat(h.groupDir + "/pod-reaper"); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}
