package uevent

import (
	"errors"
	"testing"
	"time"
)

func TestWaitLooksAtOnce(t *testing.T) {
	got, err := Wait(0, func() (string, bool, error) { return "here", true, nil })
	if got != "here" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWaitLooksAgain(t *testing.T) {
	looks := 0
	got, err := Wait(time.Hour, func() (int, bool, error) {
		looks++
		return looks, looks == 3, nil
	})
	if got != 3 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestWaitEndsWithItsDeadlineOrAnError(t *testing.T) {
	if _, err := Wait(0, func() (int, bool, error) { return 0, false, nil }); !errors.Is(err, ErrDeadline) {
		t.Errorf("got %v", err)
	}
	broken := errors.New("broken")
	if _, err := Wait(time.Hour, func() (int, bool, error) { return 0, false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
