package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
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

func TestAnExecJoinsTheGroupThatTheBoxHasMovedMainTo(t *testing.T) {
	c := &Cgroup{Dir: cgroupBox}
	for groups, want := range map[string]string{
		"0::/box\n": "", "0::/box/init\n": cgroupBox + "/init", "0::/box/a/b\n": cgroupBox + "/a/b",
		"0::/agent\n": "", "0::/boxes/a\n": "", "0::/box/../agent\n": "", "1:name=x:/box/a\n0::/box\n": "", "": "",
	} {
		if got := c.nested(groups); got != want {
			t.Errorf("%q: got %q, want %q", groups, got, want)
		}
	}
	if fd, err := c.OpenGroupOf(os.Getpid()); fd != -1 || err != nil {
		t.Errorf("got %d, %v", fd, err)
	}
}

func TestAGroupThatTheBoxRemovesMeanwhileIsLookedUpOnceMore(t *testing.T) {
	c := &Cgroup{Dir: cgroupBox}
	for _, test := range []struct {
		second string
		err    error
	}{{"0::/box\n", nil}, {"0::/box/none-either\n", syscall.ENOENT}} {
		reads := 0
		fd, err := c.openNested(func() ([]byte, error) {
			reads++
			if reads == 1 {
				return []byte("0::/box/no-such-group\n"), nil
			}
			return []byte(test.second), nil
		})
		if fd != -1 || !errors.Is(err, test.err) || reads != 2 {
			t.Errorf("got %d, %v after %d reads", fd, err, reads)
		}
	}
}
