package linux

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

func TestReadFileIsBoundedAndPatientWithNobody(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path    string
		resolve uint64
		limit   int
		want    error
	}{
		"a file":                   {"file", 0, 5, nil},
		"one over the limit":       {"file", 0, 4, syscall.EFBIG},
		"a FIFO without a writer":  {"fifo", 0, 5, syscall.EINVAL},
		"a directory":              {"", 0, 5, syscall.EINVAL},
		"a link":                   {"link", 0, 5, nil},
		"a link where none may be": {"link", NoSymlinks, 5, syscall.ELOOP},
		"nothing":                  {"gone", 0, 5, syscall.ENOENT},
	} {
		content, err := ReadFile(-1, filepath.Join(dir, c.path), c.resolve, c.limit)
		if !errors.Is(err, c.want) || err == nil && string(content) != "12345" {
			t.Errorf("%s: got %q, %v; want %v", name, content, err, c.want)
		}
	}
}

func TestASealedCopyCannotBeChanged(t *testing.T) {
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	fd, err := SealedCopy("test", int(source.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.Pwrite(fd, []byte("x"), 0); !errors.Is(err, syscall.EPERM) {
		t.Errorf("writing: %v", err)
	}
	again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDWR, 0)
	if err == nil {
		_, err = again.WriteAt([]byte("x"), 0)
		_ = again.Close()
	}
	if !errors.Is(err, syscall.EPERM) {
		t.Errorf("writing after opening it again: %v", err)
	}
	if err := syscall.Ftruncate(fd, 0); !errors.Is(err, syscall.EPERM) {
		t.Errorf("shrinking: %v", err)
	}
}

func TestNamesWithNULAreRefused(t *testing.T) {
	if _, err := OpenAt(-1, "/a\x00b", OPath, 0, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
}
