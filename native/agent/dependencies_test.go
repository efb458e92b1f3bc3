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
	packages := linked(t, ".")
	for _, unwanted := range []string{
		"crypto/tls", "crypto/x509", "net/http", "net/url", "encoding/json", "a3s.dev/box/agent/launch", "a3s.dev/box/agent/ratls", "a3s.dev/box/agent/tee",
	} {
		if slices.Contains(packages, unwanted) {
			t.Errorf("%s is linked", unwanted)
		}
	}
}

// The host of a confidential box is not trusted, so what parses its requests is the standard library's.
func TestConfidentialGuestsHaveNoHTTPOfTheirOwn(t *testing.T) {
	packages := linked(t, "./confidential")
	if slices.Contains(packages, "a3s.dev/box/agent/http2") || !slices.Contains(packages, "net/http") {
		t.Errorf("got %v", packages)
	}
}

func linked(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "a3s.dev/box/agent/server") {
		t.Fatalf("got %v", packages)
	}
	return packages
}
