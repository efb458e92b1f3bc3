package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/guesttest"
)

// must ends a test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// treeForTest makes a root with a directory, a file, links and a fifo.
func treeForTest(t *testing.T) (Tree, string) {
	t.Helper()
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/workdir/sub", 0o755), os.Mkdir(dir+"/etc", 0o755), os.WriteFile(dir+"/workdir/file", []byte("hi\n"), 0o640),
		os.Chown(dir+"/workdir/file", 1000, 1001), os.Symlink("file", dir+"/workdir/link"), os.Symlink("/absent", dir+"/workdir/dangling"),
		os.Symlink("loop", dir+"/workdir/loop"), os.Symlink("/workdir", dir+"/dirlink"), syscall.Mkfifo(dir+"/workdir/fifo", 0o600),
		os.WriteFile(dir+"/workdir/sub/z", []byte("z"), 0o644), os.Chmod(dir+"/workdir/sub", 0o755|os.ModeSetuid))
	root, err := rootdir.OpenDirectory(dir)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(root.FD) })
	return Tree{root, tree.Here}, dir
}

// archiveOf returns the names in an archive of a path, with the targets of links.
func archiveOf(t *testing.T, tree Tree, path string) ([]string, []byte) {
	t.Helper()
	var out bytes.Buffer
	must(t, tree.Archive(context.Background(), path, func(*Stat) (io.Writer, error) { return &out, nil }))
	return namesOf(t, out.Bytes()), out.Bytes()
}

func namesOf(t *testing.T, archive []byte) []string {
	t.Helper()
	var names []string
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names
		}
		must(t, err)
		name := header.Name
		if header.Linkname != "" {
			name += " -> " + header.Linkname
		}
		names = append(names, name)
	}
}

// expectCode checks the code of a refusal, and a part of its text.
func expectCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var own *Error
	if !errors.As(err, &own) || own.Code != code || !strings.Contains(own.Message, text) {
		t.Errorf("got %v, want %s: %s", err, code, text)
	}
}

func TestAPathIsDescribedAsDockerDoes(t *testing.T) {
	tree, _ := treeForTest(t)
	const dir, link = 1<<31 | 0o755, 1<<27 | 0o777
	for path, want := range map[string]Stat{
		"/": {Name: "/", Mode: 0}, ".": {Name: ".", Mode: 0}, "/.": {Name: ".", Mode: 0}, "/workdir": {Name: "workdir", Mode: dir}, "workdir/": {Name: "workdir", Mode: dir},
		"/workdir/.": {Name: ".", Mode: dir}, "/workdir/file": {Name: "file", Mode: 0o640, Size: 3}, "/workdir/link": {Name: "link", Mode: link, LinkTarget: "/workdir/file"},
		"/workdir/dangling": {Name: "dangling", Mode: link, LinkTarget: "/absent"}, "/dirlink": {Name: "dirlink", Mode: link, LinkTarget: "/workdir"},
		"/dirlink/": {Name: "dirlink", Mode: dir}, "/dirlink/.": {Name: ".", Mode: dir}, "/../../workdir": {Name: "workdir", Mode: dir},
		"/workdir/sub/..": {Name: "workdir", Mode: dir}, "/workdir/fifo": {Name: "fifo", Mode: 1<<25 | 0o600}, "/workdir/sub": {Name: "sub", Mode: dir | 1<<23},
	} {
		got, err := tree.Stat(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got.Name != want.Name || want.Mode != 0 && got.Mode != want.Mode || got.LinkTarget != want.LinkTarget || want.Size != 0 && got.Size != want.Size {
			t.Errorf("%s is %+v", path, got)
		}
	}
}

func TestAPathThatCannotBeDescribedIsRefused(t *testing.T) {
	tree, _ := treeForTest(t)
	for path, want := range map[string]string{
		"": CodeInvalid, "/a\x00b": CodeInvalid, "/absent": CodeMissing, "/absent/x": CodeMissing, "/workdir/dangling/": CodeMissing,
		"/workdir/file/": CodeInvalid, "/workdir/file/x": CodeInvalid, "/workdir/loop": CodeInvalid, "/workdir/loop/": CodeInvalid, "/workdir/link/": CodeInvalid,
	} {
		_, err := tree.Stat(path)
		expectCode(t, err, want, "")
	}
}

func TestAnArchiveBeginsWithTheNameThatWasAskedFor(t *testing.T) {
	tree, _ := treeForTest(t)
	inside := func(prefix string) []string {
		names := []string{"", "dangling -> /absent", "fifo", "file", "link -> file", "loop -> loop", "sub/", "sub/z"}
		for index := range names {
			names[index] = prefix + names[index]
		}
		return names
	}
	for path, want := range map[string][]string{
		"/workdir": inside("workdir/"), "/workdir/": inside("workdir/"), "/workdir/.": inside("./"), "/dirlink/": inside("dirlink/"), "/dirlink": {"dirlink -> /workdir"},
		"/workdir/file": {"file"}, "/workdir/link": {"link -> file"}, "/etc": {"etc/"},
	} {
		if names, _ := archiveOf(t, tree, path); !slices.Equal(names, want) {
			t.Errorf("%s: got %q", path, names)
		}
	}
	if names, _ := archiveOf(t, tree, "/"); !slices.Contains(names, "/") || !slices.Contains(names, "/workdir/file") {
		t.Errorf("got %q", names)
	}
}

func TestAnArchiveHasOwnersModesTimesAndHardLinks(t *testing.T) {
	tree, dir := treeForTest(t)
	stamp := time.Unix(1_000_000_000, 0)
	must(t, os.Link(dir+"/workdir/file", dir+"/workdir/sub/again"), os.Chtimes(dir+"/workdir/file", stamp, stamp))
	_, archive := archiveOf(t, tree, "/workdir")
	var files, links int
	reader := tar.NewReader(bytes.NewReader(archive))
	for header, err := reader.Next(); err == nil; header, err = reader.Next() {
		switch {
		case header.Typeflag == tar.TypeLink:
			links++
		case header.Uid == 1000:
			files++
			content, err := io.ReadAll(reader)
			if err != nil || string(content) != "hi\n" || header.Gid != 1001 || header.Mode != 0o640 || !header.ModTime.Equal(stamp) {
				t.Errorf("got %+v %q %v", header, content, err)
			}
		}
	}
	if files != 1 || links != 1 {
		t.Errorf("got %d files and %d links", files, links)
	}
}

func TestAnExportHasNoRoot(t *testing.T) {
	tree, _ := treeForTest(t)
	var out bytes.Buffer
	must(t, tree.Export(context.Background(), &out))
	names := namesOf(t, out.Bytes())
	if names[0] != "dirlink -> /workdir" || !slices.Contains(names, "workdir/sub/z") || slices.Contains(names, "/") {
		t.Errorf("got %q", names)
	}
}

func TestAnArchiveThatNobodyTakesEnds(t *testing.T) {
	tree, _ := treeForTest(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	err := tree.Archive(ctx, "/workdir", func(*Stat) (io.Writer, error) { return io.Discard, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
