package secrets

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func refreshed(t *testing.T, s *Store, name, value string, want bool) {
	t.Helper()
	if changed, err := s.Refresh(name, []byte(value)); err != nil || changed != want {
		t.Errorf("%s: got %v, %v", name, changed, err)
	}
}

func TestARefreshedSecretIsAnotherFileOfTheSameName(t *testing.T) {
	s, directory := handed(t, map[string]string{"token": "one", "other": "kept"})
	before, err := os.Open(directory + "/token")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	refreshed(t, s, "token", "one", false)
	refreshed(t, s, "token", strings.Repeat("2", MaxValue), true)
	info, err := os.Stat(directory + "/token")
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o400 || stat.Uid != 1234 || stat.Gid != 5678 || info.Size() != MaxValue {
		t.Errorf("got %v of %d:%d with %d bytes", info.Mode(), stat.Uid, stat.Gid, info.Size())
	}
	// A process that reads the file goes on with what it opened.
	present := make([]byte, 4)
	if count, _ := before.ReadAt(present, 0); string(present[:count]) != "one" {
		t.Errorf("the open file has %q", present[:count])
	}
	refreshed(t, s, "token", "3", true)
	if count, _ := before.ReadAt(present, 0); count != 0 {
		t.Errorf("two values later the open file has %q", present[:count])
	}
	refreshed(t, s, "token", "", true)
	refreshed(t, s, "token", "5", true)
	if content, err := os.ReadFile(directory + "/token"); err != nil || string(content) != "5" {
		t.Errorf("got %q, %v", content, err)
	}
	names, err := os.ReadDir(directory)
	if err != nil || len(names) != 2 {
		t.Errorf("got %v, %v", names, err)
	}
	if content, err := os.ReadFile(directory + "/other"); err != nil || string(content) != "kept" {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestTheEndOverwritesEveryValueOfARefreshedSecret(t *testing.T) {
	s, directory := handed(t, map[string]string{"token": "one"})
	refreshed(t, s, "token", "two", true)
	files := []*os.File{}
	for _, file := range s.files.written["token"] {
		again, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = again.Close() }()
		files = append(files, again)
	}
	if err := s.Wipe(); err != nil || len(files) != 2 {
		t.Fatalf("got %v with %d files", err, len(files))
	}
	for _, file := range files {
		if info, err := file.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("got %v, %v", info, err)
		}
	}
	if _, err := s.Refresh("token", []byte("three")); !errors.Is(err, ErrNotReady) {
		t.Errorf("got %v", err)
	}
	if content, err := os.ReadFile(directory + "/token"); err != nil || len(content) != 0 {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestWhatCannotBeTheSecretLeavesItAsItIs(t *testing.T) {
	s, directory := handed(t, map[string]string{"token": "one"})
	if _, err := s.Refresh("nothing", []byte("two")); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Refresh("token", make([]byte, MaxValue+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	// The box's root may have put something in the way.
	if err := os.Mkdir(directory+"/.token", 0o700); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Refresh("token", []byte("two")); err == nil || changed {
		t.Errorf("got %v, %v", changed, err)
	}
	if content, err := os.ReadFile(directory + "/token"); err != nil || string(content) != "one" {
		t.Errorf("got %q, %v", content, err)
	}
	if err := os.Remove(directory + "/.token"); err != nil {
		t.Fatal(err)
	}
	// A link leads nowhere: the name is replaced, and not what it stands for.
	if err := os.Symlink("/etc/passwd", directory+"/.token"); err != nil {
		t.Fatal(err)
	}
	refreshed(t, s, "token", "two", true)
}
