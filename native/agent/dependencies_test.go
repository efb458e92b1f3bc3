package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The agent of plain boxes starts in thousands of copies, and speaks no TLS. Code that it does not
// link is not translated, and cannot be attacked.
func TestPlainGuestsHaveNoTLS(t *testing.T) {
	packages := linked(t, ".")
	for _, unwanted := range []string{
		"crypto/tls", "crypto/x509", "net/http", "net/url", "encoding/json", "a3s.dev/box/agent/launch", "a3s.dev/box/agent/ratls", "a3s.dev/box/agent/tee",
	} {
		if slices.Contains(packages, unwanted) {
			t.Errorf("%s is linked", unwanted)
		}
	}
}

// The host of a confidential box is not trusted, so the standard library parses its requests.
func TestConfidentialGuestsHaveNoHTTPOfTheirOwn(t *testing.T) {
	packages := linked(t, "./confidential")
	if slices.Contains(packages, "a3s.dev/box/agent/http2") || !slices.Contains(packages, "net/http") {
		t.Errorf("got %v", packages)
	}
}

// layers are the packages that make a box, each with those of them that it may import.
var layers = map[string][]string{
	"box/spec":         {},
	"box/cgroup":       {"box/spec"},
	"box/devicefilter": {"box/spec"},
	"box/tree":         {},
	"box/rootdir":      {},
	// For tests alone.
	"box/rootdir/rootdirtest": {"box/rootdir"},
	"box/layers":              {"box/spec", "box/rootdir"},
	"box/rootfs":              {"box/spec", "box/devicefilter", "box/tree", "box/layers", "box/rootdir"},
	"box/files":               {"box/rootfs", "box/rootdir", "box/tree"},
	"box/process":             {"box/spec", "box/cgroup", "stage"},
	"box/stats":               {"box/cgroup"},
	"box/sandbox":             {"box/spec", "box/cgroup", "box/devicefilter", "box/layers", "box/rootfs", "box/rootdir", "box/process"},
	"box":                     {"box/spec", "box/cgroup", "box/layers", "box/rootfs", "box/rootdir", "box/files", "box/tree", "box/process", "box/stats", "box/sandbox", "stage"},
	"launchspec":              {"box/spec"},
	"stage":                   {},
}

func TestThePackagesOfABoxImportInOneDirection(t *testing.T) {
	for name, permitted := range layers {
		for _, imported := range strings.Fields(list(t, "-f", `{{join .Imports " "}}`, "./"+name)) {
			own, found := strings.CutPrefix(imported, "a3s.dev/box/agent/")
			if _, layer := layers[own]; found && layer && !slices.Contains(permitted, own) {
				t.Errorf("%s imports %s", name, own)
			}
		}
	}
}

func TestEveryPackageBelowBoxIsALayer(t *testing.T) {
	for _, path := range strings.Fields(list(t, "./box/...")) {
		if name := strings.TrimPrefix(path, "a3s.dev/box/agent/"); layers[name] == nil {
			t.Errorf("%s has no rule", name)
		}
	}
}

// A stage runs before the packages of the agent are initialised, and needs none of the box.
func TestAStageImportsNothingOfABox(t *testing.T) {
	for _, path := range strings.Fields(list(t, "-deps", "./stage")) {
		if strings.HasPrefix(path, "a3s.dev/box/agent/box") || strings.HasPrefix(path, "a3s.dev/box/agent/server") {
			t.Errorf("stage links %s", path)
		}
	}
}

// list returns what `go list` prints.
func list(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, arguments...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func linked(t *testing.T, program string) []string {
	t.Helper()
	packages := strings.Fields(list(t, "-deps", program))
	if !slices.Contains(packages, "a3s.dev/box/agent/server") {
		t.Fatalf("got %v", packages)
	}
	return packages
}
