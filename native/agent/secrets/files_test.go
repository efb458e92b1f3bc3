package secrets

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

// handed delivers secrets as files to a user, and answers the directory that they are in.
func handed(t *testing.T, values map[string]string) (*Store, string) {
	t.Helper()
	guesttest.NeedRoot(t)
	var wanted []launchspec.Secret
	for name := range values {
		wanted = append(wanted, file(name))
	}
	s := NewStore(wanted, time.Hour)
	for name, value := range values {
		deliver(t, s, name, value, nil)
	}
	files, err := NewFiles()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	if environment, err := s.HandOver(files, users.User{UID: 1234, GID: 5678}); err != nil || len(environment) != 0 {
		t.Fatalf("got %v, %v", environment, err)
	}
	return s, "/proc/self/fd/" + strconv.Itoa(files.Mount())
}

func TestAFileIsItsOwnersAlone(t *testing.T) {
	_, directory := handed(t, map[string]string{"token": "correct horse", "empty": "", "large": strings.Repeat("x", MaxValue)})
	for name, want := range map[string]int64{"token": 13, "empty": 0, "large": MaxValue} {
		info, err := os.Stat(directory + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		if info.Mode() != 0o400 || stat.Uid != 1234 || stat.Gid != 5678 || info.Size() != want {
			t.Errorf("%s: got %v of %d:%d with %d bytes", name, info.Mode(), stat.Uid, stat.Gid, info.Size())
		}
	}
	if content, err := os.ReadFile(directory + "/token"); err != nil || string(content) != "correct horse" {
		t.Errorf("got %q, %v", content, err)
	}
	info, err := os.Stat(directory)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestWipeOverwritesFilesThatTheBoxHasRemoved(t *testing.T) {
	s, directory := handed(t, map[string]string{"kept": "correct horse", "removed": "battery staple"})
	var open []*os.File
	for _, name := range []string{"kept", "removed"} {
		file, err := os.Open(directory + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		open = append(open, file)
	}
	// The pages are seen as they are, whatever becomes of the size.
	mapped, err := syscall.Mmap(int(open[1].Fd()), 0, 14, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mapped) }()
	if err := os.Remove(directory + "/removed"); err != nil {
		t.Fatal(err)
	}
	for _, files := range s.files.written {
		if err := overwrite(files[0]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(mapped, make([]byte, len(mapped))) {
		t.Errorf("still there: %q", mapped)
	}
	if err := s.Wipe(); err != nil {
		t.Fatal(err)
	}
	for _, file := range open {
		if content, err := io.ReadAll(file); err != nil || len(content) != 0 {
			t.Errorf("%s: got %q, %v", file.Name(), content, err)
		}
	}
}

func TestTheFilesystemIsBounded(t *testing.T) {
	_, directory := handed(t, map[string]string{"token": "x"})
	if err := os.WriteFile(directory+"/more", make([]byte, maxMemory+1), 0o600); err == nil {
		t.Error("it takes more than its size")
	}
}

func TestGuardForbidsCoreDumps(t *testing.T) {
	if err := Guard(); err != nil {
		t.Fatal(err)
	}
	const prGetDumpable = 3
	dumpable, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0)
	if errno != 0 || dumpable != 0 {
		t.Errorf("got %d, %v", dumpable, errno)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(rlimitCore, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("got %+v, %v", limit, err)
	}
}
