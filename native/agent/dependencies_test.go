package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The agent of plain boxes starts in thousands of copies, and has nobody to talk TLS with: what it does not link is not translated, and not
// there to be attacked.
func TestPlainGuestsHaveNoTLS(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "a3s.dev/box/agent/server") {
		t.Fatalf("got %v", packages)
	}
	for _, unwanted := range []string{
		"crypto/tls", "net/http", "encoding/json", "a3s.dev/box/agent/launch", "a3s.dev/box/agent/ratls", "a3s.dev/box/agent/tee",
	} {
		if slices.Contains(packages, unwanted) {
			t.Errorf("%s is linked", unwanted)
		}
	}
}
