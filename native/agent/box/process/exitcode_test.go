package process

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// The host's test of the same file is src/guest/guest-errors.test.ts.
func TestExitCodesAreThoseOfTheHost(t *testing.T) {
	var vector struct{ Exits map[string]int }
	content, err := os.ReadFile("../../../../test/vectors/guest-errors.json")
	if err == nil {
		err = json.Unmarshal(content, &vector)
	}
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range vector.Exits {
		if got := exitCode(&ExitError{Code: code}); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
	for code := range exitCodes {
		if vector.Exits[code] == 0 {
			t.Errorf("%s is not in the vector", code)
		}
	}
}

// The host's test of its default is in src/boxes/supervise/exit-code.test.ts.
func TestAnUnknownReasonHasTheExitCodeOfDocker(t *testing.T) {
	for _, reason := range []*ExitError{{Code: "unknown"}, ExitErrorOf(errors.New("broken"))} {
		if got := exitCode(reason); got != 128 {
			t.Errorf("%s: got %d", reason.Code, got)
		}
	}
}
