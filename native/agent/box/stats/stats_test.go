package stats

import (
	"os"
	"path/filepath"
	"testing"

	"a3s.dev/box/agent/box/cgroup"
)

func TestStatsAreRead(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"memory.current": "4096\n", "memory.peak": "8192\n", "cpu.stat": "usage_usec 7\nuser_usec 3\n", "pids.current": "2\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Read(&cgroup.Cgroup{Dir: dir}); err != nil || *got != (Stats{4096, 8192, 7, 2}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
