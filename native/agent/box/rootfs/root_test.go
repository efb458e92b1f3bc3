package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"a3s.dev/box/agent/linux"
)

// rootForTest makes a root with links that try to leave it, beside a place that nothing may reach.
func rootForTest(t *testing.T) (r Root, inside, outside string) {
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
	return Root{fd}, inside, outside
}

// where answers the path of a descriptor, relative to the root.
func where(t *testing.T, inside string, fd int) string {
	t.Helper()
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(inside, path)
	if err != nil {
		t.Fatal(err)
	}
	return relative
}

func TestDirectoriesStayInTheRoot(t *testing.T) {
	r, inside, outside := rootForTest(t)
	for path, want := range map[string]string{
		"/":                 ".",
		"/new/a/b":          "new/a/b",
		"/fine":             "real",
		"/fine/x":           "real/x",
		"/chain/y":          "real/below/y",
		"/dangling":         "made/deep",
		"/up/z":             "out/z",
		"/far/q":            "q",
		"/../../outside":    "outside",
		"/real/../w":        "w",
		"/absolute/s":       outside[1:] + "/s",
		"/missing/../again": "again",
	} {
		fd, err := r.directory(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := where(t, inside, fd); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
		_ = syscall.Close(fd)
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 0 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}

func TestFilesStayInTheRoot(t *testing.T) {
	r, inside, _ := rootForTest(t)
	for path, want := range map[string]string{
		"/etc/hosts":       "etc/hosts",
		"/etc/resolv.conf": "run/systemd/resolv.conf",
		"/file":            "real/file",
		"/new/dir/file":    "new/dir/file",
	} {
		fd, err := r.file(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := where(t, inside, fd); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
		_ = syscall.Close(fd)
	}
}

func TestAMountOnAWrongPlaceIsRefused(t *testing.T) {
	r, inside, _ := rootForTest(t)
	if err := os.WriteFile(inside+"/plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.directory("/loop/x"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := r.directory("/plain"); !errors.Is(err, errNotDirectory) {
		t.Errorf("a file for a directory: %v", err)
	}
	if _, err := r.directory("/plain/x"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := r.file("/real"); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory for a file: %v", err)
	}
	if err := r.plainDirectory("/fine"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a link for a plain directory: %v", err)
	}
}

func TestAShareIsNotMountedInFilesOfTheKernel(t *testing.T) {
	for path, want := range map[string]error{"/proc": errKernelFiles, "/proc/self": errKernelFiles, "/sys": errKernelFiles, "/tmp": nil} {
		r, err := OpenDirectory(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := refuseKernelFiles(r.FD); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		syscall.Close(r.FD)
	}
}
