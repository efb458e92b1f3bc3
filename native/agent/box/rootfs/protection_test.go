package rootfs

import "testing"

func TestPathsAreProtectedWhereTheyAre(t *testing.T) {
	p := Protection{Readonly: []string{"/proc/bus", "/etc/x", "/proc"}, Masked: []string{"/sys/firmware", "/sys/../etc/x", "/system/x"}}
	if got, want := p.below("/proc", "/sys"), (Protection{Readonly: []string{"/proc/bus"}, Masked: []string{"/sys/firmware"}}); !got.Equal(want) {
		t.Errorf("below: got %v", got)
	}
	want := Protection{Readonly: []string{"/etc/x", "/proc"}, Masked: []string{"/sys/../etc/x", "/system/x"}}
	if got := p.outside("/proc", "/sys"); !got.Equal(want) {
		t.Errorf("outside: got %v", got)
	}
}
