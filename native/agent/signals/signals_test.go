package signals

import (
	"syscall"
	"testing"
)

func TestASignalIsParsedByNameOrNumber(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"SIGHUP": 1, "SIGKILL": 9, "SIGTERM": 15, "SIGSYS": 31, "1": 1, "64": 64, "SIGRTMIN": 34, "SIGRTMIN+30": 64,
		"SIGRTMAX": 64, "SIGRTMAX-30": 34,
	} {
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("%s: got %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "TERM", "SIG", "sigterm", "0", "65", "-1", "01", "+1", "SIGRTMIN+31", "SIGRTMIN+", "SIGRTMIN-1", "SIGRTMAX-31"} {
		if got, ok := Parse(text); ok {
			t.Errorf("%q: got %d", text, got)
		}
	}
	for number := syscall.Signal(1); number <= lastSignal; number++ {
		if number == 32 || number == 33 {
			continue
		}
		if got, ok := Parse(Name(number)); !ok || got != number {
			t.Errorf("%d is called %s, which is %d", number, Name(number), got)
		}
	}
}
