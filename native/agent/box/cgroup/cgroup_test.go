package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCPUMaxIsWrittenAsTheKernelReadsIt(t *testing.T) {
	for millis, want := range map[int64]string{
		1: "1000 1000000", 9: "9000 1000000", 10: "1000 100000", 500: "50000 100000", 1500: "150000 100000",
		1 << 50: "107374182400 100000",
	} {
		if got := cpuMax(millis); got != want {
			t.Errorf("%d: got %s, want %s", millis, got, want)
		}
	}
}

func TestCountersOfTheGroupAreRead(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"memory.current": "4096\n", "memory.peak": "8192\n", "cpu.stat": "usage_usec 7\nuser_usec 3\n", "pids.current": "2\n",
		"memory.events": "low 0\noom 5\noom_kill 3\noom_group_kill 0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &Cgroup{Dir: dir}
	if got, err := c.OomKills(); err != nil || got != 3 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := c.Counter("cpu.stat", "nothing"); err == nil {
		t.Error("a missing counter was found")
	}
}
