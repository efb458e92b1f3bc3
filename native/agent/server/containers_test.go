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
