// Package rootdirtest makes roots for tests.
package rootdirtest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// WithLinks makes a root with links that try to leave it, beside a place that nothing may reach.
func WithLinks(t *testing.T) (r rootdir.Root, inside, outside string) {
	t.Helper()
	dir := t.TempDir()
	inside, outside = filepath.Join(dir, "in"), filepath.Join(dir, "out")
	for _, path := range []string{inside, outside, inside + "/real", inside + "/etc"} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"absolute": outside, "up": "../out", "far": "../../../../../..", "fine": "/real", "loop": "loop", "proc": "/proc/self/root",
		"dangling": "/made/deep", "etc/resolv.conf": "../run/systemd/resolv.conf", "chain": "fine/below", "file": "real/file",
	} {
		if err := os.Symlink(target, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := linux.OpenAt(-1, inside, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return rootdir.Root{FD: fd}, inside, outside
}
