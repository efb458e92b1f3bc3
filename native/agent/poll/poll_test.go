package poll

import (
	"errors"
	"testing"
	"time"
)

func TestUntilReturnsOnceItIsDone(t *testing.T) {
	calls := 0
	err := Until(time.Minute, "stop", "the box", func() (bool, error) {
		calls++
		return calls == 3, nil
	})
	if err != nil || calls != 3 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}

func TestUntilReturnsTheErrorOfALook(t *testing.T) {
	broken := errors.New("broken")
	if err := Until(time.Minute, "stop", "the box", func() (bool, error) { return false, broken }); err != broken {
		t.Errorf("got %v", err)
	}
}

func TestUntilNamesWhatDidNotEndInTime(t *testing.T) {
	err := Until(0, "stop", "the box", func() (bool, error) { return false, nil })
	if err == nil || err.Error() != "stop the box: did not end in time" {
		t.Errorf("got %v", err)
	}
}
