package server

import (
	"testing"
)

func TestPathsMatchAsAWhole(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/processes/a/exit":    "a",
		"/v1/processes/main/exit": "main",
		"/v1/processes//exit":     "",
		"/v1/processes/exit":      "",
		"/v1/processes/a/b/exit":  "",
		"/v1/processes/A/exit":    "",
		"/v1/processes/a/exit/":   "",
		"/v1/processes/a/exi":     "",
		"/v1/processe/exit":       "",
		"x/v1/processes/a/exit":   "",
	} {
		id, ok := match("/v1/processes/{id}/exit", path)
		if ok != (want != "") || ok && id != want {
			t.Errorf("%s: got %q, %v", path, id, ok)
		}
	}
	if _, ok := match("/v1/state", "/v1/state"); !ok {
		t.Error("a path without an id does not match itself")
	}
}

func TestEveryRouteIsAnsweredInOneWay(t *testing.T) {
	for _, route := range routes {
		ways := 0
		for _, has := range []bool{route.prompt != nil, route.setUp != nil, route.stream != nil} {
			if has {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s %s: %d ways", route.method, route.path, ways)
		}
	}
}
