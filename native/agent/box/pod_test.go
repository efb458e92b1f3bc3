package box_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
)

const podDocument = `{"schema":"a3s-box/pod-spec/v1","hostname":"pod1","network":{"kind":"none"},"resources":{},"shmBytes":1048576}`

// containerDocument is what a container of a test has, with a main process that runs a script.
func containerDocument(script string) string {
	text, err := json.Marshal(script)
	if err != nil {
		panic(err)
	}
	return `{"schema":"a3s-box/container-spec/v1","rootfs":{"layers":[{"serial":"layer-0"}],"changes":{"kind":"memory"},"readonly":false},
"process":{"args":["/bin/busybox","sh","-c",` + string(text) + `],"env":["PATH=/bin"],"cwd":"/","user":"","terminal":false,"stdin":false},
"mounts":[],"confinement":{"capabilities":["CAP_KILL"],"noNewPrivileges":false,"seccomp":"default","maskedPaths":[],"readonlyPaths":[]},
"resources":{}}`
}

// pod makes a guest that has taken the spec of a pod.
func pod(t *testing.T) *host {
	t.Helper()
	needBox(t)
	groupDir := t.TempDir()
	b, err := box.NewTestPod(children, groupDir, shell)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, b)
	h.groupDir, h.box, h.version = groupDir, b, "12"
	t.Cleanup(func() {
		for _, c := range b.Containers() {
			h.removes(c.ContainerID())
		}
		if err := box.CloseTestBox(b); err != nil {
			t.Error(err)
		}
	})
	h.answers("PUT", "/v1/pod", podDocument, http.StatusOK)
	return h
}

func (h *host) answers(method, path, body string, want int) string {
	h.t.Helper()
	status, text := h.call(method, path, strings.NewReader(body))
	if status != want {
		h.t.Fatalf("%s %s: got %d %s", method, path, status, text)
	}
	return text
}

func (h *host) removes(id string) {
	h.t.Helper()
	h.answers("DELETE", "/v1/containers/"+id, "", http.StatusNoContent)
}

// container returns a host that speaks to a container of the pod, whose main process was started.
func (h *host) container(id, script string) *host {
	h.t.Helper()
	c := *h
	c.below = "/v1/containers/" + id
	h.answers("PUT", c.below, containerDocument(script), http.StatusOK)
	c.answers("POST", "/v1/processes/main/start", "", http.StatusOK)
	return &c
}

func TestContainersOfAPodHaveNamesNetworkAndSharedMemoryInCommon(t *testing.T) {
	h := pod(t)
	const ids = "for n in uts ipc net mnt pid cgroup; do readlink /proc/self/ns/$n; done"
	first, second := h.container("c1", "exec sleep 1000"), h.container("c2", "exec sleep 1000")
	one, _ := first.run("ids", script(ids))
	two, _ := second.run("ids", script(ids))
	a, b := strings.Fields(one), strings.Fields(two)
	for index, shared := range []bool{true, true, true, false, false} {
		if (a[index] == b[index]) != shared {
			t.Errorf("got %s and %s", a[index], b[index])
		}
	}
	first.run("write", script("echo common >/dev/shm/file; echo own >/tmp/file; hostname >>/dev/shm/file"))
	if got, _ := second.run("read", script("cat /dev/shm/file; cat /etc/hostname; ls /tmp; echo $$; df -k /dev/shm | tail -n 1")); !strings.HasPrefix(got, "common\npod1\npod1\n") || strings.Contains(got, "file\n") || !strings.Contains(got, " 1024 ") {
		t.Errorf("got %q", got)
	}
	// Each has a process 1 of its own, which it alone can signal. Its shell may not have executed
	// it yet.
	const kill = "until grep -q sleep /proc/1/comm; do sleep 0.01; done; cat /proc/1/comm; kill 1; exit 3"
	if got, e := second.run("kill", script(kill)); got != "sleep\n" || e.ExitCode != 3 {
		t.Errorf("got %q, %+v", got, e)
	}
}

func TestAContainerEndsAndIsRemovedWhileOthersRun(t *testing.T) {
	h := pod(t)
	left, ended := h.container("left", "exec sleep 1000"), h.container("ended", "echo done; exit 7")
	if e := ended.exit("main"); e.ExitCode != 7 || ended.output("main") != "done\n" {
		t.Errorf("got %+v", e)
	}
	ended.refuses("POST", "/v1/processes", ended.body("late", script("true")), http.StatusConflict, "conflict")
	h.removes("ended")
	ended.refuses("GET", "/v1/processes/main", nil, http.StatusNotFound, "not-found")
	h.refuses("DELETE", "/v1/containers/ended", nil, http.StatusNotFound, "not-found")
	if got, _ := left.run("on", script("echo on")); got != "on\n" {
		t.Errorf("got %q", got)
	}
	// One that runs is ended. Its id can be used again.
	h.removes("left")
	again := h.container("left", "echo again")
	if e := again.exit("main"); e.ExitCode != 0 || again.output("main") != "again\n" {
		t.Errorf("got %+v", e)
	}
}

func TestTheRootOfAContainerMayBeReadOnly(t *testing.T) {
	h := pod(t)
	const script = `busybox touch /test.sh 2>&1 && echo made; busybox touch /bin/new 2>&1; echo x >/dev/shm/$0 && ls /dev/shm`
	for _, c := range []struct{ id, readonly, want string }{
		{"ro", "true", "touch: /test.sh: Read-only file system\ntouch: /bin/new: Read-only file system\nsh\n"},
		{"rw", "false", "made\nsh\n"},
	} {
		document := strings.Replace(containerDocument(script), `"readonly":false`, `"readonly":`+c.readonly, 1)
		h.answers("PUT", "/v1/containers/"+c.id, document, http.StatusOK)
		container := *h
		container.below = "/v1/containers/" + c.id
		container.answers("POST", "/v1/processes/main/start", "", http.StatusOK)
		if e := container.exit("main"); e.ExitCode != 0 || container.output("main") != c.want {
			t.Errorf("%s: got %+v, %q", c.id, e, container.output("main"))
		}
	}
}

func TestAPodLeavesNothingOfAContainerThatIsRemoved(t *testing.T) {
	h := pod(t)
	// The first one opens what stays.
	h.container("warm", "exec sleep 1000")
	h.removes("warm")
	before := descriptors(t)
	for range 3 {
		c := h.container("c", "exec sleep 1000")
		c.run("e", script("true"))
		c.answers("POST", "/v1/files/stat", `{"path":"/bin"}`, http.StatusOK)
		h.removes("c")
		h.answers("PUT", "/v1/containers/unstarted", containerDocument("true"), http.StatusOK)
		h.removes("unstarted")
		h.answers("PUT", "/v1/containers/refused", "{}", http.StatusBadRequest)
		h.removes("refused")
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestAContainerTakesOneSpecAndStartsOnce(t *testing.T) {
	h := pod(t)
	c := h.container("c", "exec sleep 1000")
	taken := h.answers("PUT", c.below, containerDocument("exec sleep 1000"), http.StatusOK)
	h.refuses("PUT", c.below, strings.NewReader(containerDocument("true")), http.StatusConflict, "conflict")
	c.refuses("POST", "/v1/processes/main/start", nil, http.StatusConflict, "conflict")
	h.answers("PUT", "/v1/containers/d", containerDocument("true"), http.StatusOK)
	var digest struct{ Spec string }
	if err := json.Unmarshal([]byte(taken), &digest); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Containers []struct {
			ID, Spec  string
			Processes []struct{ ID, State string }
		}
	}
	if err := json.Unmarshal([]byte(h.answers("GET", "/v1/containers", "", http.StatusOK)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Containers) != 2 || list.Containers[0].Spec != digest.Spec || list.Containers[0].Processes[0].State != "running" ||
		list.Containers[1].ID != "d" || list.Containers[1].Processes[0].State != "created" {
		t.Errorf("got %+v", list)
	}
	if got := c.answers("GET", "/v1/state", "", http.StatusOK); !strings.HasPrefix(got, `{"spec":"`+digest.Spec+`","processes":[{"id":"main"`) {
		t.Errorf("got %s", got)
	}
}

func TestAPodHasNoProcessAndNoFilesOfItsOwn(t *testing.T) {
	h := pod(t)
	h.answers("PUT", "/v1/pod", podDocument, http.StatusOK)
	h.refuses("PUT", "/v1/spec", strings.NewReader(document), http.StatusConflict, "conflict")
	for path, body := range map[string]string{
		"/v1/processes/main/start": "", "/v1/files/stat": `{"path":"/"}`, "/v1/freeze": "", "/v1/shares/changes": `{"changes":[]}`,
	} {
		h.refuses("POST", path, strings.NewReader(body), http.StatusConflict, "conflict")
	}
	h.refuses("POST", "/v1/processes", h.body("e", script("true")), http.StatusConflict, "conflict")
	h.refuses("GET", "/v1/top", nil, http.StatusConflict, "conflict")
	h.refuses("GET", "/v1/processes/main", nil, http.StatusNotFound, "not-found")
	if got := h.answers("GET", "/v1/state", "", http.StatusOK); !strings.HasSuffix(got, `"processes":[]}`) {
		t.Errorf("got %s", got)
	}
	// What they have in common is the pod's.
	for _, path := range []string{"/v1/containers/c/networks", "/v1/containers/c/freeze", "/v1/containers/c/poweroff", "/v1/containers/C/state"} {
		h.refuses("PUT", path, nil, http.StatusNotFound, "not-found")
	}
	h.refuses("GET", "/v1/containers/none/state", nil, http.StatusNotFound, "not-found")
}

func TestABoxHasNoContainers(t *testing.T) {
	h := start(t, document)
	h.version = "12"
	h.refuses("PUT", "/v1/pod", strings.NewReader(podDocument), http.StatusConflict, "conflict")
	h.refuses("PUT", "/v1/containers/c", strings.NewReader(containerDocument("true")), http.StatusConflict, "conflict")
	if got := h.answers("GET", "/v1/containers", "", http.StatusOK); got != `{"containers":[]}` {
		t.Errorf("got %s", got)
	}
	h.version = "11"
	h.refuses("GET", "/v1/containers", nil, http.StatusNotFound, "not-found")
	h.refuses("GET", "/v1/containers/c/state", nil, http.StatusNotFound, "not-found")
}
