package files

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
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
		info, err := os.Lstat(dir + "/workdir" + path)
		must(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		if info.Mode() != mode || stat.Uid != 77 || stat.Gid != 78 || !info.ModTime().Equal(someTime) {
			t.Errorf("%s is %v %d:%d %v", path, info.Mode(), stat.Uid, stat.Gid, info.ModTime())
		}
	}
	info, err := os.Lstat(dir + "/workdir/absolute")
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); info.Mode() != os.ModeDir|0o755 || stat.Uid != 0 {
		t.Errorf("a directory that the archive lacks is %v %d", info.Mode(), stat.Uid)
	}
	// The directory itself keeps its attributes.
	if info, err := os.Lstat(dir + "/workdir"); err != nil || info.Mode() != os.ModeDir|0o755 {
		t.Errorf("got %v %v", info.Mode(), err)
	}
}

func TestTheFilesBelongToAnotherOwnerWhereOneIsGiven(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/workdir", ExtractOptions{Owner: &Owner{5, 6}}, pack(t, entry("a", tar.TypeReg, ""))))
	info, err := os.Lstat(dir + "/workdir/a")
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 5 || stat.Gid != 6 {
		t.Errorf("got %d:%d", stat.Uid, stat.Gid)
	}
}

func TestAnEntryTakesThePlaceOfAnother(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/workdir", ExtractOptions{}, pack(t, entry("sub", tar.TypeReg, ""), entry("file", tar.TypeDir, ""), entry("link", tar.TypeReg, ""))))
	for path, want := range map[string]os.FileMode{"/sub": 0o640, "/file": os.ModeDir | 0o750, "/link": 0o640} {
		if info, err := os.Lstat(dir + "/workdir" + path); err != nil || info.Mode() != want {
			t.Errorf("%s is %v %v", path, info.Mode(), err)
		}
	}
}

func TestKindsAreKeptWhereThatIsAskedFor(t *testing.T) {
	tree, dir := treeForTest(t)
	keep := ExtractOptions{KeepKinds: true}
	expectCode(t, extract(tree, "/workdir", keep, pack(t, entry("sub", tar.TypeReg, ""))), CodeInvalid,
		`cannot overwrite directory "/workdir/sub" with non-directory "/workdir"`)
	expectCode(t, extract(tree, "/workdir", keep, pack(t, entry("file", tar.TypeDir, ""))), CodeInvalid,
		`cannot overwrite non-directory "/workdir/file" with directory "/workdir"`)
	must(t, extract(tree, "/workdir", keep, pack(t, entry("sub", tar.TypeDir, ""), entry("file", tar.TypeReg, ""))))
	if content, err := os.ReadFile(dir + "/workdir/file"); err != nil || string(content) != "data" {
		t.Errorf("got %q %v", content, err)
	}
	if _, err := os.Lstat(dir + "/workdir/sub/z"); err != nil {
		t.Error(err)
	}
}

func TestNoDestinationIsMade(t *testing.T) {
	tree, _ := treeForTest(t)
	archive := pack(t, entry("a", tar.TypeReg, ""))
	expectCode(t, extract(tree, "/absent", ExtractOptions{}, archive), CodeMissing, "/absent")
	expectCode(t, extract(tree, "/workdir/dangling", ExtractOptions{}, archive), CodeMissing, "/workdir/dangling")
	expectCode(t, extract(tree, "/workdir/file", ExtractOptions{}, archive), CodeInvalid, "extraction point is not a directory")
	expectCode(t, extract(tree, "/workdir/link", ExtractOptions{}, archive), CodeInvalid, "extraction point is not a directory")
}

func TestNothingOutsideTheDestinationIsTouched(t *testing.T) {
	for name, hostile := range map[string][]tar.Header{
		`"../evil" is outside of "/workdir"`:                  {entry("../evil", tar.TypeReg, "")},
		`"a/../../evil" is outside of "/workdir"`:             {entry("a/../../evil", tar.TypeReg, "")},
		`"/workdir/l/evil" is outside of "/workdir"`:          {entry("l", tar.TypeSymlink, "/etc"), entry("l/evil", tar.TypeReg, "")},
		`"/workdir/out/evil" is outside of "/workdir"`:        {entry("out/evil", tar.TypeReg, "")},
		`invalid symlink "/workdir/l" -> "../../etc"`:         {entry("l", tar.TypeSymlink, "../../etc")},
		`invalid symlink "/workdir/sub/l" -> "../../etc"`:     {entry("sub/l", tar.TypeSymlink, "../../etc")},
		`invalid hardlink "/workdir/h" -> "../etc/passwd"`:    {entry("h", tar.TypeLink, "../etc/passwd")},
		`"/workdir/h" is outside of "/workdir"`:               {entry("l", tar.TypeSymlink, "/etc"), entry("h", tar.TypeLink, "l/passwd")},
		`cannot extract the device node "/workdir/d"`:         {entry("d", tar.TypeChar, "")},
		`cannot extract the device node "/workdir/b"`:         {entry("b", tar.TypeBlock, "")},
		`"../workdir-beside/evil" is outside of "/workdir"`:   {entry("../workdir-beside/evil", tar.TypeReg, "")},
		`unhandled tar header type 55 of "/workdir/reserved"`: {entry("reserved", '7', "")},
	} {
		tree, dir := treeForTest(t)
		must(t, os.WriteFile(dir+"/etc/passwd", []byte("secret"), 0o600), os.Mkdir(dir+"/workdir-beside", 0o755), os.Symlink("/etc", dir+"/workdir/out"))
		expectCode(t, extract(tree, "/workdir", ExtractOptions{}, pack(t, hostile...)), CodeInvalid, name)
		for _, outside := range []string{"/etc", "/workdir-beside"} {
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
	if _, err := os.Lstat(dir + "/workdir/new"); err != nil {
		t.Error(err)
	}
}

func TestALinkWithTooManyParentsEndsAtTheRoot(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, extract(tree, "/", ExtractOptions{}, pack(t, entry("workdir/up", tar.TypeSymlink, "../../../etc"), entry("workdir/up/new", tar.TypeReg, ""))))
	if content, err := os.ReadFile(dir + "/etc/new"); err != nil || string(content) != "data" {
		t.Errorf("got %q %v", content, err)
	}
}

func TestAHardLinkToAnotherMountIsRefusedByName(t *testing.T) {
	tree, dir := treeForTest(t)
	mounted(t, dir+"/etc", "", 0)
	must(t, os.WriteFile(dir+"/etc/file", nil, 0o600))
	expectCode(t, extract(tree, "/", ExtractOptions{}, pack(t, entry("hard", tar.TypeLink, "etc/file"))), CodeInvalid,
		`cannot link to "/etc/file": it is in another mount`)
}

// sparse makes an archive of one file with a map of some number of blocks, in GNU's old format.
func sparse(blocks int) []byte {
	var header [512]byte
	for at, field := range map[int]string{0: "sparse", 100: "0000644\x00", 108: "0000000\x00", 116: "0000000\x00", 124: "00000000000\x00",
		136: "00000000000\x00", 148: "        ", 156: "S", 257: "ustar  \x00", 482: "\x01", 483: "00000000000\x00"} {
		copy(header[at:], field)
	}
	sum := 0
	for _, each := range header {
		sum += int(each)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	block := append(bytes.Repeat([]byte("00000000000\x00"), 42), 1, 0, 0, 0, 0, 0, 0, 0)
	return append(header[:], bytes.Repeat(block, blocks)...)
}

func TestTheMapOfASparseFileIsBounded(t *testing.T) {
	tree, _ := treeForTest(t)
	expectCode(t, extract(tree, "/workdir", ExtractOptions{}, sparse(maxHeader/512)), CodeInvalid, "a header of more than 4 MiB")
	// As long as that may be the content of a file, and the headers of several.
	large := entry("large", tar.TypeReg, "")
	large.Size = maxHeader + 1
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for range 2 {
		must(t, w.WriteHeader(&large))
		_, err := w.Write(make([]byte, large.Size))
		must(t, err)
	}
	must(t, w.Close(), extract(tree, "/workdir", ExtractOptions{}, out.Bytes()))
}

func TestADamagedArchiveLeavesNoPartOfAFile(t *testing.T) {
	whole := pack(t, entry("file", tar.TypeReg, ""))
	for name, archive := range map[string][]byte{"unexpected EOF": whole[:514], "header": bytes.Repeat([]byte("x"), 1024)} {
		tree, dir := treeForTest(t)
		expectCode(t, extract(tree, "/workdir", ExtractOptions{}, archive), CodeInvalid, name)
		if content, err := os.ReadFile(dir + "/workdir/file"); err != nil || string(content) != "hi\n" {
			t.Errorf("%s: the older file is %q %v", name, content, err)
		}
		expectNoPartial(t, dir+"/workdir")
	}
	tree, _ := treeForTest(t)
	must(t, extract(tree, "/workdir", ExtractOptions{}, nil))
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

// A process of the box swaps a directory of the destination for a link that leads out, while
// archives are extracted into it.
func TestASwappedDirectoryLeadsNowhere(t *testing.T) {
	tree, dir := treeForTest(t)
	must(t, os.Mkdir(dir+"/workdir/swap", 0o755), os.Symlink("../etc", dir+"/workdir/swap-link"))
	ended := make(chan struct{})
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for {
			select {
			case <-ended:
				return
			default:
				_ = os.Rename(dir+"/workdir/swap", dir+"/workdir/swap-dir")
				_ = os.Rename(dir+"/workdir/swap-link", dir+"/workdir/swap")
				_ = os.Rename(dir+"/workdir/swap", dir+"/workdir/swap-link")
				_ = os.Rename(dir+"/workdir/swap-dir", dir+"/workdir/swap")
			}
		}
	}()
	archive := pack(t, entry("swap/evil", tar.TypeReg, ""), entry("swap/deep/evil", tar.TypeReg, ""))
	for range 300 {
		// Whether it fails depends on the race; where it writes does not.
		_ = extract(tree, "/workdir", ExtractOptions{}, archive)
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
	go func() { done <- tree.Extract(context.Background(), "/workdir", ExtractOptions{}, from) }()
	_, err := to.Write(pack(t, entry("early", tar.TypeReg, ""))[:1024])
	must(t, err)
	_, err = to.Write(pack(t, entry("late", tar.TypeReg, ""))[:1024])
	must(t, err)
	if _, err := os.Lstat(dir + "/workdir/early"); err != nil {
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
	must(t, err, w.Close(), extract(tree, "/workdir", ExtractOptions{}, zipped.Bytes()))
	if content, err := os.ReadFile(dir + "/workdir/zipped"); err != nil || string(content) != "data" {
		t.Errorf("got %q %v", content, err)
	}
	damaged := bytes.Clone(zipped.Bytes())
	damaged[len(damaged)-6]++
	expectCode(t, extract(tree, "/workdir", ExtractOptions{}, damaged), CodeInvalid, "gzip: invalid checksum")
	expectCode(t, extract(tree, "/workdir", ExtractOptions{}, zipped.Bytes()[:30]), CodeInvalid, "unexpected EOF")
	expectCode(t, extract(tree, "/workdir", ExtractOptions{}, []byte("BZh9 and no more")), CodeInvalid, "bzip2 data invalid")
	expectCode(t, extract(tree, "/workdir", ExtractOptions{}, []byte("\x28\xb5\x2f\xfd and so on")), CodeInvalid, "compressed with zstd")
}
