package files

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var someTime = time.Unix(1_000_000_000, 0)

// entry makes a header for a test archive; a regular file contains `data`.
func entry(name string, kind byte, target string) tar.Header {
	header := tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o640, Uid: 77, Gid: 78, ModTime: someTime}
	if kind == tar.TypeReg {
		header.Size = 4
	}
	if kind == tar.TypeDir {
		header.Mode = 0o750
	}
	return header
}

func pack(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, header := range headers {
		must(t, w.WriteHeader(&header))
		if header.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte("data"))
			must(t, err)
		}
	}
	must(t, w.Close())
	return out.Bytes()
}

func extract(tree Tree, path string, options ExtractOptions, archive []byte) error {
	return tree.Extract(context.Background(), path, options, bytes.NewReader(archive))
}

func TestAnArchiveIsExtractedWithOwnersModesAndTimes(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/dirlink", ExtractOptions{}, pack(t, entry("./", tar.TypeDir, ""), entry("new/", tar.TypeDir, ""), entry("new/file", tar.TypeReg, ""),
		entry("new/link", tar.TypeSymlink, "/anywhere"), entry("new/hard", tar.TypeLink, "new/file"), entry("new/fifo", tar.TypeFifo, ""),
		entry("/absolute/deep/file", tar.TypeReg, ""))))
	for path, mode := range map[string]os.FileMode{
		"/new": os.ModeDir | 0o750, "/new/file": 0o640, "/new/hard": 0o640, "/new/fifo": os.ModeNamedPipe | 0o640, "/new/link": os.ModeSymlink | 0o777,
		"/absolute/deep/file": 0o640,
	} {
		info, err := os.Lstat(dir + "/work" + path)
		must(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		if info.Mode() != mode || stat.Uid != 77 || stat.Gid != 78 || !info.ModTime().Equal(someTime) {
			t.Errorf("%s is %v %d:%d %v", path, info.Mode(), stat.Uid, stat.Gid, info.ModTime())
		}
	}
	info, err := os.Lstat(dir + "/work/absolute")
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); info.Mode() != os.ModeDir|0o755 || stat.Uid != 0 {
		t.Errorf("a directory that the archive lacks is %v %d", info.Mode(), stat.Uid)
	}
	// The directory itself keeps its attributes.
	if info, err := os.Lstat(dir + "/work"); err != nil || info.Mode() != os.ModeDir|0o755 {
		t.Errorf("got %v %v", info.Mode(), err)
	}
}

func TestTheFilesBelongToAnotherOwnerWhereOneIsGiven(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/work", ExtractOptions{Owner: &Owner{5, 6}}, pack(t, entry("a", tar.TypeReg, ""))))
	info, err := os.Lstat(dir + "/work/a")
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 5 || stat.Gid != 6 {
		t.Errorf("got %d:%d", stat.Uid, stat.Gid)
	}
}

func TestAnEntryTakesThePlaceOfAnother(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/work", ExtractOptions{}, pack(t, entry("sub", tar.TypeReg, ""), entry("file", tar.TypeDir, ""), entry("link", tar.TypeReg, ""))))
	for path, want := range map[string]os.FileMode{"/sub": 0o640, "/file": os.ModeDir | 0o750, "/link": 0o640} {
		if info, err := os.Lstat(dir + "/work" + path); err != nil || info.Mode() != want {
			t.Errorf("%s is %v %v", path, info.Mode(), err)
		}
	}
}

func TestKindsAreKeptWhereThatIsAskedFor(t *testing.T) {
	tree, dir := treeForTest(t)
	keep := ExtractOptions{KeepKinds: true}
	expectCode(t, extract(tree, "/work", keep, pack(t, entry("sub", tar.TypeReg, ""))), CodeInvalid,
		`cannot overwrite directory "/work/sub" with non-directory "/work"`)
	expectCode(t, extract(tree, "/work", keep, pack(t, entry("file", tar.TypeDir, ""))), CodeInvalid,
		`cannot overwrite non-directory "/work/file" with directory "/work"`)
	must(t, extract(tree, "/work", keep, pack(t, entry("sub", tar.TypeDir, ""), entry("file", tar.TypeReg, ""))))
	if content, err := os.ReadFile(dir + "/work/file"); err != nil || string(content) != "data" {
		t.Errorf("got %q %v", content, err)
	}
	if _, err := os.Lstat(dir + "/work/sub/z"); err != nil {
		t.Error(err)
	}
}

func TestNoDestinationIsMade(t *testing.T) {
	tree, _ := treeForTest(t)
	archive := pack(t, entry("a", tar.TypeReg, ""))
	expectCode(t, extract(tree, "/absent", ExtractOptions{}, archive), CodeMissing, "/absent")
	expectCode(t, extract(tree, "/work/dangling", ExtractOptions{}, archive), CodeMissing, "/work/dangling")
	expectCode(t, extract(tree, "/work/file", ExtractOptions{}, archive), CodeInvalid, "extraction point is not a directory")
	expectCode(t, extract(tree, "/work/link", ExtractOptions{}, archive), CodeInvalid, "extraction point is not a directory")
}

func TestNothingOutsideTheDestinationIsTouched(t *testing.T) {
	for name, hostile := range map[string][]tar.Header{
		`"../evil" is outside of "/work"`:                  {entry("../evil", tar.TypeReg, "")},
		`"a/../../evil" is outside of "/work"`:             {entry("a/../../evil", tar.TypeReg, "")},
		`"/work/l/evil" is outside of "/work"`:             {entry("l", tar.TypeSymlink, "/etc"), entry("l/evil", tar.TypeReg, "")},
		`"/work/out/evil" is outside of "/work"`:           {entry("out/evil", tar.TypeReg, "")},
		`invalid symlink "/work/l" -> "../../etc"`:         {entry("l", tar.TypeSymlink, "../../etc")},
		`invalid symlink "/work/sub/l" -> "../../etc"`:     {entry("sub/l", tar.TypeSymlink, "../../etc")},
		`invalid hardlink "/work/h" -> "../etc/passwd"`:    {entry("h", tar.TypeLink, "../etc/passwd")},
		`"/work/h" is outside of "/work"`:                  {entry("l", tar.TypeSymlink, "/etc"), entry("h", tar.TypeLink, "l/passwd")},
		`cannot extract the device node "/work/d"`:         {entry("d", tar.TypeChar, "")},
		`cannot extract the device node "/work/b"`:         {entry("b", tar.TypeBlock, "")},
		`"../work-beside/evil" is outside of "/work"`:      {entry("../work-beside/evil", tar.TypeReg, "")},
		`unhandled tar header type 55 of "/work/reserved"`: {entry("reserved", '7', "")},
	} {
		tree, dir := treeForTest(t)
		must(t, os.WriteFile(dir+"/etc/passwd", []byte("secret"), 0o600), os.Mkdir(dir+"/work-beside", 0o755), os.Symlink("/etc", dir+"/work/out"))
		expectCode(t, extract(tree, "/work", ExtractOptions{}, pack(t, hostile...)), CodeInvalid, name)
		for _, outside := range []string{"/etc", "/work-beside"} {
			entries, err := os.ReadDir(dir + outside)
			must(t, err)
			for _, each := range entries {
				if each.Name() != "passwd" {
					t.Errorf("%s: %s/%s was made", name, outside, each.Name())
				}
			}
		}
		if info, err := os.Stat(dir + "/etc/passwd"); err != nil || info.Sys().(*syscall.Stat_t).Nlink != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLinksWithinTheRootAreFollowedWhereTheRootIsTheDestination(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/", ExtractOptions{}, pack(t, entry("dirlink/new", tar.TypeReg, ""))))
	if _, err := os.Lstat(dir + "/work/new"); err != nil {
		t.Error(err)
	}
}

func TestADamagedArchiveLeavesNoPartOfAFile(t *testing.T) {
	whole := pack(t, entry("file", tar.TypeReg, ""))
	for name, archive := range map[string][]byte{"unexpected EOF": whole[:514], "header": bytes.Repeat([]byte("x"), 1024)} {
		tree, dir := treeForTest(t)
		expectCode(t, extract(tree, "/work", ExtractOptions{}, archive), CodeInvalid, name)
		if content, err := os.ReadFile(dir + "/work/file"); err != nil || string(content) != "hi\n" {
			t.Errorf("%s: the older file is %q %v", name, content, err)
		}
		expectNoPartial(t, dir+"/work")
	}
	tree, _ := treeForTest(t)
	must(t, extract(tree, "/work", ExtractOptions{}, nil))
}

func expectNoPartial(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, each := range entries {
		if strings.HasPrefix(each.Name(), partialName) {
			t.Errorf("%s was left behind", each.Name())
		}
	}
}

// mounted mounts a small tmpfs on a directory of the tree.
func mounted(t *testing.T, dir, options string, flags uintptr) {
	t.Helper()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", flags, options))
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
}

func TestAFullDiskKeepsTheOlderFile(t *testing.T) {
	tree, dir := treeForTest(t)
	mounted(t, dir+"/etc", "size=64k", 0)
	must(t, os.WriteFile(dir+"/etc/file", []byte("old"), 0o600))
	header := entry("file", tar.TypeReg, "")
	header.Size = 1 << 20
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must(t, w.WriteHeader(&header))
	_, err := w.Write(make([]byte, 1<<20))
	must(t, err, w.Close())
	expectCode(t, extract(tree, "/etc", ExtractOptions{}, out.Bytes()), CodeFull, "/etc/file: no space left on device")
	if content, err := os.ReadFile(dir + "/etc/file"); err != nil || string(content) != "old" {
		t.Errorf("got %q %v", content, err)
	}
	expectNoPartial(t, dir+"/etc")
}

func TestAReadOnlyMountIsRefused(t *testing.T) {
	tree, dir := treeForTest(t)
	mounted(t, dir+"/etc", "", syscall.MS_RDONLY)
	expectCode(t, extract(tree, "/etc", ExtractOptions{}, pack(t)), CodeReadonly, "mounted volume is marked read-only")
}

// A process of the box swaps a directory of the destination for a link that leads out, while archives are extracted into it.
func TestASwappedDirectoryLeadsNowhere(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, os.Mkdir(dir+"/work/swap", 0o755), os.Symlink("../etc", dir+"/work/swap-link"))
	ended := make(chan struct{})
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for {
			select {
			case <-ended:
				return
			default:
				_ = os.Rename(dir+"/work/swap", dir+"/work/swap-dir")
				_ = os.Rename(dir+"/work/swap-link", dir+"/work/swap")
				_ = os.Rename(dir+"/work/swap", dir+"/work/swap-link")
				_ = os.Rename(dir+"/work/swap-dir", dir+"/work/swap")
			}
		}
	}()
	archive := pack(t, entry("swap/evil", tar.TypeReg, ""), entry("swap/deep/evil", tar.TypeReg, ""))
	for range 300 {
		// Whether it fails depends on the race; where it writes does not.
		_ = extract(tree, "/work", ExtractOptions{}, archive)
	}
	close(ended)
	<-swapped
	entries, err := os.ReadDir(dir + "/etc")
	must(t, err)
	if len(entries) != 0 {
		t.Errorf("%s was made outside of the destination", entries[0].Name())
	}
}

func TestAnArchiveIsReadAsItComes(t *testing.T) {
	tree, dir := treeForTest(t)
	from, to := io.Pipe()
	done := make(chan error)
	go func() { done <- tree.Extract(context.Background(), "/work", ExtractOptions{}, from) }()
	_, err := to.Write(pack(t, entry("early", tar.TypeReg, ""))[:1024])
	must(t, err)
	_, err = to.Write(pack(t, entry("late", tar.TypeReg, ""))[:1024])
	must(t, err)
	if _, err := os.Lstat(dir + "/work/early"); err != nil {
		t.Error(err)
	}
	must(t, to.Close())
	must(t, <-done)
}

func TestACompressedArchiveIsExtracted(t *testing.T) {
	tree, dir := treeForTest(t)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write(pack(t, entry("zipped", tar.TypeReg, "")))
	must(t, err, w.Close(), extract(tree, "/work", ExtractOptions{}, zipped.Bytes()))
	if content, err := os.ReadFile(dir + "/work/zipped"); err != nil || string(content) != "data" {
		t.Errorf("got %q %v", content, err)
	}
	damaged := bytes.Clone(zipped.Bytes())
	damaged[len(damaged)-6]++
	expectCode(t, extract(tree, "/work", ExtractOptions{}, damaged), CodeInvalid, "gzip: invalid checksum")
	expectCode(t, extract(tree, "/work", ExtractOptions{}, zipped.Bytes()[:30]), CodeInvalid, "unexpected EOF")
	expectCode(t, extract(tree, "/work", ExtractOptions{}, []byte("BZh9 and no more")), CodeInvalid, "bzip2 data invalid")
	expectCode(t, extract(tree, "/work", ExtractOptions{}, []byte("\x28\xb5\x2f\xfd and so on")), CodeInvalid, "compressed with zstd")
}
