// Package guesttest is for tests of the agent: those that need root, and those that run as process
// 1 of a guest.
package guesttest

import (
	"os"
	"testing"
)

// NeedRoot skips a test that does what only root may.
func NeedRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}
