package box_test

import (
	"testing"

	"a3s.dev/box/agent/box"
)

func TestABoxCanBeForbiddenToDumpCore(t *testing.T) {
	forbidden, usual := box.New(nil, nil, -1, nil), box.New(nil, nil, -1, nil)
	forbidden.ForbidCoreDumps()
	if forbidden.CoreLimit() != 0 {
		t.Errorf("got %d", forbidden.CoreLimit())
	}
	// The limits of other boxes are what they were.
	if usual.CoreLimit() != ^uint64(0) {
		t.Errorf("got %d", usual.CoreLimit())
	}
}
