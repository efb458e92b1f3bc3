package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/files"
	"a3s.dev/box/agent/box/rootfs"
)

// The host's test of the same file is src/guest/guest-errors.test.ts.
func TestCodesAreThoseOfTheHost(t *testing.T) {
	var vector struct{ Answers map[string]int }
	content, err := os.ReadFile("../../../test/vectors/guest-errors.json")
	if err == nil {
		err = json.Unmarshal(content, &vector)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(statuses, vector.Answers) {
		t.Errorf("got %v, want %v", statuses, vector.Answers)
	}
	for code := range statuses {
		if got := codeOf(errors.Join(&Error{code, "x"})); got != code {
			t.Errorf("got %s for %s", got, code)
		}
	}
}

func TestAVolumeWithoutRoomIsAFullDisk(t *testing.T) {
	if got := codeOf(fmt.Errorf("x: %w", &rootfs.FullError{Cause: syscall.ENOSPC})); got != files.CodeFull {
		t.Errorf("got %s", got)
	}
}
