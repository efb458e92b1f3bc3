package box_test

import (
	"strings"
	"testing"
)

func TestChangesOfSharesAreTakenSinceVersionEight(t *testing.T) {
	h := start(t, document)
	changes := func(body string) (int, string) {
		return h.call("POST", "/v1/shares/changes", strings.NewReader(body))
	}
	h.version = "7"
	if status, answer := changes(`{"changes":[]}`); status != 404 {
		t.Errorf("got %d %s", status, answer)
	}
	h.version = "8"
	// The box has no such share.
	if status, answer := changes(`{"changes":[{"share":"bind-0","path":"a/b"},{"share":"bind-0","path":""}]}`); status != 200 || answer != `{"touched":0}` {
		t.Errorf("got %d %s", status, answer)
	}
	for _, path := range []string{"/a", "a/", "a//b", ".", "a/../b", "..", "a/.", `a\u0000b`, strings.Repeat("a/", 2047) + "ab"} {
		status, answer := changes(`{"changes":[{"share":"bind-0","path":"` + path + `"}]}`)
		if status != 400 || !strings.Contains(answer, "is not a relative path") {
			t.Errorf("%.20q: got %d %s", path, status, answer)
		}
	}
	many := strings.Repeat(`{"share":"bind-0","path":""},`, 513)
	if status, answer := changes(`{"changes":[` + strings.TrimSuffix(many, ",") + `]}`); status != 400 || !strings.Contains(answer, "too many") {
		t.Errorf("got %d %s", status, answer)
	}
}
