package box

import (
	"testing"
)

func TestPathsAreProtectedWhereTheyAre(t *testing.T) {
	p := protection{readonly: []string{"/proc/bus", "/etc/x", "/proc"}, masked: []string{"/sys/firmware", "/sys/../etc/x", "/system/x"}}
	if got, want := p.below("/proc", "/sys"), (protection{[]string{"/proc/bus"}, []string{"/sys/firmware"}}); !got.equal(want) {
		t.Errorf("below: got %v", got)
	}
	want := protection{[]string{"/etc/x", "/proc"}, []string{"/sys/../etc/x", "/system/x"}}
	if got := p.outside("/proc", "/sys"); !got.equal(want) {
		t.Errorf("outside: got %v", got)
	}
}
