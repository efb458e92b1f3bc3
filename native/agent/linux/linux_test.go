package linux

import (
	"errors"
	"os"
	"path/filepath"
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

func TestNamesWithNULAreRefused(t *testing.T) {
	if _, err := OpenAt(-1, "/a\x00b", OPath, 0, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
}

func TestSecretsDiffer(t *testing.T) {
	first, second := make([]byte, 96), make([]byte, 96)
	if err := errors.Join(Secret(first), Secret(second)); err != nil {
		t.Fatal(err)
	}
	if string(first) == string(second) || string(first[48:]) == string(make([]byte, 48)) {
		t.Error("they are not random")
	}
}
