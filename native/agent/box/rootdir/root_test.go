package rootdir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootdir/rootdirtest"
)

// where returns the path of a descriptor, relative to the root.
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
	r, inside, outside := rootdirtest.WithLinks(t)
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
		fd, err := r.Directory(path)
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
	r, inside, _ := rootdirtest.WithLinks(t)
	for path, want := range map[string]string{
		"/etc/hosts":       "etc/hosts",
		"/etc/resolv.conf": "run/systemd/resolv.conf",
		"/file":            "real/file",
		"/new/dir/file":    "new/dir/file",
	} {
		fd, err := r.File(path)
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
	r, inside, _ := rootdirtest.WithLinks(t)
	if err := os.WriteFile(inside+"/plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Directory("/loop/x"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := r.Directory("/plain"); !errors.Is(err, rootdir.ErrNotDirectory) {
		t.Errorf("a file for a directory: %v", err)
	}
	if _, err := r.Directory("/plain/x"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := r.File("/real"); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory for a file: %v", err)
	}
	if err := r.PlainDirectory("/fine"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a link for a plain directory: %v", err)
	}
}

func TestAShareIsNotMountedInFilesOfTheKernel(t *testing.T) {
	for path, want := range map[string]error{"/proc": rootdir.ErrKernelFiles, "/proc/self": rootdir.ErrKernelFiles, "/sys": rootdir.ErrKernelFiles, "/tmp": nil} {
		r, err := rootdir.OpenDirectory(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := rootdir.RefuseKernelFiles(r.FD); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		syscall.Close(r.FD)
	}
}
