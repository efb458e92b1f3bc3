package box

import (
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

func TestSignals(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"SIGHUP": 1, "SIGKILL": 9, "SIGTERM": 15, "SIGSYS": 31, "1": 1, "64": 64, "SIGRTMIN": 34, "SIGRTMIN+30": 64,
		"SIGRTMAX": 64, "SIGRTMAX-30": 34,
	} {
		if got, ok := ParseSignal(text); !ok || got != want {
			t.Errorf("%s: got %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "TERM", "SIG", "sigterm", "0", "65", "-1", "01", "+1", "SIGRTMIN+31", "SIGRTMIN+", "SIGRTMIN-1", "SIGRTMAX-31"} {
		if got, ok := ParseSignal(text); ok {
			t.Errorf("%q: got %d", text, got)
		}
	}
	for number := syscall.Signal(1); number <= lastSignal; number++ {
		if number == 32 || number == 33 {
			continue
		}
		if got, ok := ParseSignal(signalName(number)); !ok || got != number {
			t.Errorf("%d is called %s, which is %d", number, signalName(number), got)
		}
	}
}

func TestCPUMax(t *testing.T) {
	for millis, want := range map[int64]string{
		1: "1000 1000000", 9: "9000 1000000", 10: "1000 100000", 500: "50000 100000", 1500: "150000 100000",
		1 << 50: "107374182400 100000",
	} {
		if got := cpuMax(millis); got != want {
			t.Errorf("%d: got %s, want %s", millis, got, want)
		}
	}
}

func TestCounters(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"memory.current": "4096\n", "memory.peak": "8192\n", "cpu.stat": "usage_usec 7\nuser_usec 3\n", "pids.current": "2\n",
		"memory.events": "low 0\noom 5\noom_kill 3\noom_group_kill 0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &Cgroup{dir: dir}
	if got, err := c.stats(); err != nil || *got != (Stats{4096, 8192, 7, 2}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := c.oomKills(); err != nil || got != 3 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := c.counter("cpu.stat", "nothing"); err == nil {
		t.Error("a missing counter was found")
	}
}

func TestTopMounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountinfo")
	content := `1 0 0:1 / / rw - rootfs rootfs rw
20 1 0:2 / /proc rw - proc proc rw
21 1 0:3 / /a\040b\134c rw - tmpfs tmpfs rw
22 21 0:4 / /a\040b\134c/below rw - tmpfs tmpfs rw
23 1 0:5 / /run rw - tmpfs tmpfs rw
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := topMounts(file)
	if want := []string{"run", `a b\c`, "proc"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if err := os.WriteFile(file, []byte("1 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := topMounts(file); err == nil {
		t.Error("half a line was taken")
	}
}

func TestFilesOfTheNetwork(t *testing.T) {
	spec, err := ParseSpec([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := resolvConf(&spec.Network), "nameserver 10.0.2.3\nsearch a.b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := hosts(spec.Hostname, &spec.Network); got[len(got)-len("10.0.2.15\tbox1\n"):] != "10.0.2.15\tbox1\n" {
		t.Errorf("got %q", got)
	}
}
