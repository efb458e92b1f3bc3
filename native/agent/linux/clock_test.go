package linux

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheClockIsTheKernels(t *testing.T) {
	before := SinceBoot()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	after := SinceBoot()
	seconds, _, _ := strings.Cut(string(text), " ")
	uptime, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel rounds it down to a hundredth of a second.
	between := time.Duration(uptime * float64(time.Second))
	if between < before-10*time.Millisecond || between > after {
		t.Errorf("/proc/uptime is %s, between %s and %s", between, before, after)
	}
}
