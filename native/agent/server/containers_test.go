package server

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/http2"
)

func TestAPathBelowAContainerIsThatOfABox(t *testing.T) {
	for path, want := range map[string][2]string{
		"/v1/containers/a/state":               {"/v1/state", "a"},
		"/v1/containers/a1/processes/main/out": {"/v1/processes/main/out", "a1"},
		"/v1/containers/a/":                    {"/v1/", "a"},
		"/v1/containers/a":                     {"/v1/containers/a", ""},
		"/v1/containers/A/state":               {"/v1/containers/A/state", ""},
		"/v1/containers//state":                {"/v1/containers//state", ""},
		"/v1/containers":                       {"/v1/containers", ""},
		"/v1/state":                            {"/v1/state", ""},
	} {
		if own, container := inContainer(path); own != want[0] || container != want[1] {
			t.Errorf("%s: got %q, %q", path, own, container)
		}
	}
}

func TestContainersHaveTheRoutesOfTheirProcessesAndFilesOnly(t *testing.T) {
	var paths []string
	for _, route := range routes {
		if ofContainers(route.path) {
			paths = append(paths, route.path)
		}
	}
	all := strings.Join(paths, " ")
	for _, path := range []string{"/v1/processes/{id}/output", "/v1/resources", "/v1/files/layer", "/v1/state", "/v1/stats", "/v1/top"} {
		if !strings.Contains(all, path) {
			t.Errorf("%s is missing", path)
		}
	}
	for _, path := range []string{"/v1/poweroff", "/v1/freeze", "/v1/networks", "/v1/sockets", "/v1/containers", "/v1/spec", "/v1/hello"} {
		if strings.Contains(all, path) {
			t.Errorf("%s is there", path)
		}
	}
}

func TestAContainerThatComesBeforeItsPodIsSetUpWaits(t *testing.T) {
	s := &Server{Box: box.New(nil, &cgroup.Cgroup{}, -1, nil)}
	c := serve(t, &http2.Server{Handler: s.Handler()})
	c.protocol = 12
	hold := make(chan struct{})
	s.queue.setUp(func() { <-hold })
	answered := make(chan int)
	go func() {
		status, _ := c.call("PUT", "/v1/containers/a", "{}")
		answered <- status
	}()
	for made := false; !made; runtime.Gosched() {
		_, err := s.containers.get("a")
		made = err == nil
	}
	select {
	case status := <-answered:
		t.Errorf("got %d before the pod was set up", status)
	default:
	}
	close(hold)
	if status := <-answered; status != http.StatusConflict {
		t.Errorf("got %d", status)
	}
	if status, text := c.call("GET", "/v1/containers", ""); status != http.StatusOK || text != `{"containers":[{"id":"a","spec":null,"processes":[]}]}` {
		t.Errorf("got %d %s", status, text)
	}
	if status, _ := c.call("DELETE", "/v1/containers/a", ""); status != http.StatusNoContent {
		t.Errorf("got %d", status)
	}
	if status, _ := c.call("GET", "/v1/containers/a/state", ""); status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
}

// podOf serves a confidential guest with a container.
func podOf(t *testing.T, permissions ...string) (*Server, *client) {
	t.Helper()
	s := &Server{Box: box.New(nil, &cgroup.Cgroup{}, -1, nil), Confidential: &guest{permitting(permissions...)}}
	c := serve(t, &http2.Server{Handler: s.Handler()})
	c.protocol = minConfidentialPods
	if status, text := c.call("PUT", "/v1/containers/a", "{}"); status != http.StatusOK || text != `{"spec":"sha256:1"}` {
		t.Fatalf("got %d %s", status, text)
	}
	return s, c
}

func TestAConfidentialContainerIsRefusedByTheFieldThatDecides(t *testing.T) {
	_, c := podOf(t)
	status, text := c.call("PUT", "/v1/containers/b", "{ }")
	want := `"code":"container-not-permitted"`
	if status != http.StatusForbidden || !strings.Contains(text, want) || !strings.Contains(text, `"rule":"containers.process.args"`) {
		t.Errorf("got %d %s", status, text)
	}
}

// What a launch spec permits the host is for the processes of all containers.
func TestAConfidentialContainerPermitsItsHostWhatTheLaunchSpecDoes(t *testing.T) {
	paths := map[string][2]string{
		"exec": {"POST", "/v1/containers/a/processes"}, "logs": {"POST", "/v1/containers/a/processes/main/output?offset=0"},
		"attach": {"PUT", "/v1/containers/a/processes/main/stdin"}, "stats": {"GET", "/v1/containers/a/top"},
		"signals": {"POST", "/v1/containers/a/processes/main/signal"},
	}
	bodies := map[string]string{"exec": `{"id":"e","process":{}}`, "signals": `{"signal":"SIGHUP"}`}
	for permission, path := range paths {
		_, c := podOf(t)
		if status, text := c.call(path[0], path[1], bodies[permission]); status != http.StatusForbidden || !strings.Contains(text, "host-not-permitted") {
			t.Errorf("%s: got %d %s", permission, status, text)
		}
		_, c = podOf(t, permission)
		if status, text := c.call(path[0], path[1], bodies[permission]); status == http.StatusForbidden {
			t.Errorf("%s: got %d %s", permission, status, text)
		}
	}
	_, c := podOf(t, allPermissions...)
	for _, path := range []string{"/v1/containers/a/resources", "/v1/containers/a/files"} {
		if status, _ := c.call("PUT", path, "{}"); status != http.StatusNotFound {
			t.Errorf("%s: got %d", path, status)
		}
	}
	if status, _ := c.call("POST", "/v1/sockets/dial?port=1", ""); status != http.StatusNotFound {
		t.Errorf("dial: got %d", status)
	}
}

func TestAConfidentialContainerLeavesWhenItIsRemoved(t *testing.T) {
	s, c := podOf(t)
	of, err := s.containers.get("a")
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := c.call("DELETE", "/v1/containers/a", ""); status != http.StatusNoContent {
		t.Errorf("got %d", status)
	}
	if !of.container.(*inPod).left {
		t.Error("it kept what it had")
	}
}

func TestEarlierVersionsHaveNoConfidentialPods(t *testing.T) {
	_, c := podOf(t)
	c.protocol = minConfidentialPods - 1
	for _, path := range []string{"/v1/containers/a", "/v1/containers/a/processes/main/signal"} {
		if status, _ := c.call("PUT", path, "{}"); status != http.StatusNotFound {
			t.Errorf("%s: got %d", path, status)
		}
	}
}
