package rootfs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// shareForTest makes a filesystem in place of a share, and returns a path to it besides.
func shareForTest(t *testing.T) (Share, string) {
	t.Helper()
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	ownMountsForTest(t)
	mountForFill(t, "tmpfs", dir, "")
	mount, err := linux.OpenAt(-1, dir, linux.OPath, 0, 0)
	must(t, err)
	kept := Shares{}
	writable, readonly := "bind-0", "bind-1"
	must(t, kept.keep(spec.Mount{Tag: &writable}, mount),
		kept.keep(spec.Mount{Tag: &readonly, Readonly: true}, mount), syscall.Close(mount))
	if len(kept) != 1 {
		t.Fatalf("%d shares are kept", len(kept))
	}
	share := kept["bind-0"]
	// Another part of the same share.
	must(t, kept.keep(spec.Mount{Tag: &writable}, -1))
	if kept["bind-0"] != share {
		t.Fatal("the first part is kept no more")
	}
	t.Cleanup(func() { _ = errors.Join(syscall.Close(share.root), syscall.Close(share.lookups)) })
	return share, dir
}

// watched returns a function that returns what was reported of some paths since it was called last,
// as `PATH/NAME MASK`.
func watched(t *testing.T, paths ...string) func() string {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	names := map[int32]string{}
	for _, path := range paths {
		watch, err := syscall.InotifyAddWatch(fd, path, syscall.IN_ALL_EVENTS)
		must(t, err)
		names[int32(watch)] = path[strings.LastIndexByte(path, '/')+1:]
	}
	return func() string {
		var found []string
		buffer := make([]byte, 64<<10)
		n, err := syscall.Read(fd, buffer)
		if err == syscall.EAGAIN {
			return ""
		}
		must(t, err)
		for at := 0; at < n; {
			event := (*syscall.InotifyEvent)(unsafe.Pointer(&buffer[at]))
			at += syscall.SizeofInotifyEvent
			name := strings.TrimRight(string(buffer[at:at+int(event.Len)]), "\x00")
			at += int(event.Len)
			kind := map[bool]string{true: "modified", false: "other"}[event.Mask&^syscall.IN_ISDIR == syscall.IN_MODIFY]
			found = append(found, names[event.Wd]+"/"+name+" "+kind)
		}
		slices.Sort(found)
		return strings.Join(found, ", ")
	}
}

func TestATouchReportsAModificationAndChangesNothing(t *testing.T) {
	share, dir := shareForTest(t)
	path := dir + "/a/b/file"
	must(t, os.MkdirAll(dir+"/a/b", 0o755), os.WriteFile(path, []byte("content"), 0o640))
	stamp := time.Unix(1_000_000_000, 123_456_789)
	must(t, os.Chtimes(path, stamp, stamp))
	before := statOf(t, path)
	events := watched(t, dir+"/a/b", path)
	must(t, share.Touch("a/b/file"))
	if got := events(); got != "b/file modified, file/ modified" {
		t.Errorf("got %q", got)
	}
	after := statOf(t, path)
	after.Ctim = before.Ctim
	if content, err := os.ReadFile(path); err != nil || string(content) != "content" || after != before {
		t.Errorf("got %q, %v, %+v, want %+v", content, err, after, before)
	}
}

func TestATouchOfWhatIsGoneReportsTheNearestDirectory(t *testing.T) {
	share, dir := shareForTest(t)
	must(t, os.MkdirAll(dir+"/a/b", 0o755), os.WriteFile(dir+"/a/file", nil, 0o600), os.Symlink("b", dir+"/a/link"))
	events := watched(t, dir, dir+"/a")
	for name, want := range map[string]string{
		"a/gone": "/a modified, a/ modified", "a/gone/below/it": "/a modified, a/ modified", "a/file/below": "a/file modified",
		"gone": "/ modified", "": "/ modified",
		// The link itself, and never what it leads to.
		"a/link": "a/link modified", "a/link/below": "a/link modified",
	} {
		// The name of the directory that the test has made is not known.
		want = strings.ReplaceAll(" "+want, " /", " "+dir[strings.LastIndexByte(dir, '/')+1:]+"/")[1:]
		must(t, share.Touch(name))
		if got := events(); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if entries, err := os.ReadDir(dir + "/a"); err != nil || len(entries) != 3 {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestATouchStaysInItsShare(t *testing.T) {
	share, dir := shareForTest(t)
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/file", nil, 0o600), os.Symlink(outside, dir+"/out"), os.Mkdir(dir+"/other", 0o755))
	mountForFill(t, "tmpfs", dir+"/other", "")
	must(t, os.WriteFile(dir+"/other/file", nil, 0o600))
	events := watched(t, outside, outside+"/file", dir+"/other")
	must(t, share.Touch("out/file"), share.Touch("out"))
	// What is mounted below the share is no part of its clone.
	must(t, share.Touch("other/file"))
	if got := events(); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestATouchDoesNotHoldTheMountOfTheBox(t *testing.T) {
	share, dir := shareForTest(t)
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	must(t, share.Touch("file"), syscall.Unmount(dir, 0), share.Touch("file"))
}

func TestAShareOfOneFileIsTouchedItself(t *testing.T) {
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	ownMountsForTest(t)
	mountForFill(t, "tmpfs", dir, "")
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	mount, err := linux.OpenAt(-1, dir+"/file", linux.OPath, 0, 0)
	must(t, err)
	share, err := newShare(mount)
	must(t, err, syscall.Close(mount))
	events := watched(t, dir+"/file")
	must(t, share.Touch(""))
	if got := events(); got != "file/ modified" {
		t.Errorf("got %q", got)
	}
}
