//go:build guest

package dm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"a3s.dev/box/agent/ext4"
	"a3s.dev/box/agent/guesttest"
)

// direct opens a device as the host sees it: past the guest's caches.
func direct(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// page is a buffer for direct reads and writes.
func page() []byte {
	buffer := make([]byte, 2*blockBytes)
	skip := -int(uintptr(unsafe.Pointer(&buffer[0]))) & (blockBytes - 1)
	return buffer[skip:][:blockBytes]
}

func pageOf(c byte) []byte {
	p := page()
	copy(p, bytes.Repeat([]byte{c}, blockBytes))
	return p
}

// find looks for blocks of the disk that differ from an earlier copy of it.
func find(t *testing.T, disk *os.File, before []byte) (changed []int64) {
	t.Helper()
	after := snapshot(t, disk, int64(len(before)))
	for block := range int64(len(before) / blockBytes) {
		if !bytes.Equal(before[block*blockBytes:][:blockBytes], after[block*blockBytes:][:blockBytes]) {
			changed = append(changed, block)
		}
	}
	return changed
}

func snapshot(t *testing.T, disk *os.File, length int64) []byte {
	t.Helper()
	var all []byte
	for at := int64(0); at < length; at += blockBytes {
		p := page()
		if _, err := disk.ReadAt(p, at); err != nil {
			t.Fatal(err)
		}
		all = append(all, p...)
	}
	return all
}

func encrypt(t *testing.T) (*Encrypted, *os.File, *os.File) {
	t.Helper()
	path := guesttest.Disk(t, "changes")
	e, err := Encrypt("changes", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(); err != nil {
			t.Error(err)
		}
	})
	return e, direct(t, e.Path), direct(t, path)
}

func TestTheHostsWritesToAnEncryptedDiskAreErrors(t *testing.T) {
	_, plain, host := encrypt(t)
	const length = 4 << 20
	before := snapshot(t, host, length)
	if _, err := plain.WriteAt(pageOf('A'), 5*blockBytes); err != nil {
		t.Fatal(err)
	}
	if err := plain.Sync(); err != nil {
		t.Fatal(err)
	}
	// The block that its IV and tag are in, and the sector.
	changed := find(t, host, before)
	if len(changed) != 2 {
		t.Fatalf("blocks %v of the disk changed", changed)
	}
	at := changed[1] * blockBytes
	sector := page()
	if _, err := host.ReadAt(sector, at); err != nil {
		t.Fatal(err)
	}
	for _, bit := range []int{0, 8*blockBytes/2 + 3, 8*blockBytes - 1} {
		sector[bit/8] ^= 1 << (bit % 8)
		if _, err := host.WriteAt(sector, at); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.ReadAt(page(), 5*blockBytes); !isIntegrityError(err) {
			t.Errorf("bit %d: the guest read what the host wrote: %v", bit, err)
		}
		sector[bit/8] ^= 1 << (bit % 8)
	}
	if _, err := host.WriteAt(sector, at); err != nil {
		t.Fatal(err)
	}
	p := page()
	if _, err := plain.ReadAt(p, 5*blockBytes); err != nil || p[0] != 'A' {
		t.Errorf("it did not come back: %v", err)
	}
}

func isIntegrityError(err error) bool {
	return errors.Is(err, syscall.EILSEQ) || errors.Is(err, syscall.EIO)
}

// TestASectorMovedElsewhereIsAnError and so is an old one while the newer one's tag is kept.
func TestASectorMovedElsewhereIsAnError(t *testing.T) {
	_, plain, host := encrypt(t)
	const length = 4 << 20
	before := snapshot(t, host, length)
	for sector, c := range []byte("AB") {
		if _, err := plain.WriteAt(pageOf(c), int64(sector)*blockBytes); err != nil {
			t.Fatal(err)
		}
	}
	if err := plain.Sync(); err != nil {
		t.Fatal(err)
	}
	changed := find(t, host, before)
	if len(changed) != 3 {
		t.Fatalf("blocks %v of the disk changed", changed)
	}
	first := changed[1]
	a, b := page(), page()
	if _, err := host.ReadAt(a, first*blockBytes); err != nil {
		t.Fatal(err)
	}
	if _, err := host.ReadAt(b, (first+1)*blockBytes); err != nil {
		t.Fatal(err)
	}
	if _, err := host.WriteAt(b, first*blockBytes); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.ReadAt(page(), 0); !isIntegrityError(err) {
		t.Error("the guest read a sector in the place of another")
	}
	if _, err := plain.WriteAt(pageOf('C'), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := host.WriteAt(a, first*blockBytes); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.ReadAt(page(), 0); !isIntegrityError(err) {
		t.Error("the guest read an old sector")
	}
}

func TestEqualWritesDiffer(t *testing.T) {
	_, plain, host := encrypt(t)
	var seen [][]byte
	before := snapshot(t, host, 4<<20)
	for range 2 {
		if _, err := plain.WriteAt(pageOf('A'), 0); err != nil {
			t.Fatal(err)
		}
		changed := find(t, host, before)
		p := page()
		if _, err := host.ReadAt(p, changed[len(changed)-1]*blockBytes); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, p)
	}
	if bytes.Equal(seen[0], seen[1]) {
		t.Error("the host sees that the same was written again")
	}
}

func TestWhatWasNeverWrittenCannotBeRead(t *testing.T) {
	e, plain, _ := encrypt(t)
	if _, err := plain.ReadAt(page(), e.Bytes-blockBytes); !isIntegrityError(err) {
		t.Error("the guest read what it did not write")
	}
}

func TestAnEncryptedDiskCarriesAFilesystem(t *testing.T) {
	e, plain, _ := encrypt(t)
	if err := ext4.Format(aligned4096{plain}, e.Bytes, ext4.Seed{UUID: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/changes", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(e.Path, "/run/changes", "ext4", 0, "errors=remount-ro,no_prefetch_block_bitmaps,noinit_itable,inode_readahead_blks=0"); err != nil {
		t.Fatal(err)
	}
	marker := guesttest.Word(t, "marker")
	content := []byte(strings.Repeat(marker+"\n", 1000))
	const files = 3000
	for index := range files {
		dir := fmt.Sprintf("/run/changes/dir-%d", index%50)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%s-%d", dir, marker, index), content[:index], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	large, err := os.Create("/run/changes/large")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if _, err := large.Write(bytes.Repeat(content[:1024], 1024)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(large.Sync(), large.Close()); err != nil {
		t.Fatal(err)
	}
	syscall.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		t.Fatal(err)
	}
	for index := range files {
		read, err := os.ReadFile(fmt.Sprintf("/run/changes/dir-%d/%s-%d", index%50, marker, index))
		if err != nil || !bytes.Equal(read, content[:index]) {
			t.Fatalf("file %d: %v", index, err)
		}
	}
	fill, err := os.Create("/run/changes/fill")
	if err != nil {
		t.Fatal(err)
	}
	// The rest of the disk is taken without being written, but for what is not a whole mebibyte.
	for taken := int64(0); err == nil; taken += 1 << 20 {
		err = syscall.Fallocate(int(fill.Fd()), 0, taken, 1<<20)
	}
	if _, err := fill.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = fill.Write(make([]byte, 1<<16))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk is %v", err)
	}
	if err := errors.Join(fill.Close(), os.Remove("/run/changes/fill"), os.RemoveAll("/run/changes/dir-7")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("/run/changes/after", content, 0o600); err != nil {
		t.Error(err)
	}
	if err := syscall.Unmount("/run/changes", 0); err != nil {
		t.Fatal(err)
	}
	refusesAForgedDirectory(t, e.Path, plain)
}

// refusesAForgedDirectory gives a file of the root another name, as nothing but the checksum of
// the block tells.
func refusesAForgedDirectory(t *testing.T, path string, plain *os.File) {
	t.Helper()
	mount := func() {
		t.Helper()
		if err := syscall.Mount(path, "/run/changes", "ext4", 0, "errors=remount-ro,no_prefetch_block_bitmaps,noinit_itable,inode_readahead_blks=0"); err != nil {
			t.Fatal(err)
		}
	}
	unmount := func() {
		t.Helper()
		if err := syscall.Unmount("/run/changes", 0); err != nil {
			t.Fatal(err)
		}
	}
	mount()
	if _, err := os.Stat("/run/changes/after"); err != nil {
		t.Error(err)
	}
	unmount()
	// The superblock, the descriptors, two bitmaps and the inode table are before it.
	const root = 1 + 1 + 2 + 512
	forged := page()
	if _, err := plain.ReadAt(forged, root*blockBytes); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(forged, []byte("after"))
	if at < 0 {
		t.Fatal("the root directory is elsewhere")
	}
	forged[at+4] = 's'
	if _, err := plain.WriteAt(forged, root*blockBytes); err != nil {
		t.Fatal(err)
	}
	mount()
	defer unmount()
	if _, err := os.Stat("/run/changes/aftes"); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("a name that the filesystem never had: %v", err)
	}
}

// aligned4096 writes from pages, as a direct write has to.
type aligned4096 struct{ io.WriterAt }

func (a aligned4096) WriteAt(data []byte, at int64) (int, error) {
	for done := 0; done < len(data); done += blockBytes {
		p := page()
		copy(p, data[done:])
		if _, err := a.WriterAt.WriteAt(p, at+int64(done)); err != nil {
			return done, err
		}
	}
	return len(data), nil
}

func TestADiskThatIsTooSmallIsNotEncrypted(t *testing.T) {
	if _, err := Encrypt("small", guesttest.Disk(t, "one")); err == nil || !strings.Contains(err.Error(), "cannot be encrypted") {
		t.Errorf("got %v", err)
	}
}

func TestAnEncryptedDiskIsFrozenAndThawed(t *testing.T) {
	e, plain, _ := encrypt(t)
	if err := e.Suspend(); err != nil {
		t.Fatal(err)
	}
	if err := e.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.WriteAt(pageOf('A'), 0); err != nil {
		t.Fatal(err)
	}
}
