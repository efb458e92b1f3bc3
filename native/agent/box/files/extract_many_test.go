package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// heapInUse is what is still referenced.
func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// soaked is a count of a soak, or the usual one.
func soaked(usual, soak int) int {
	if os.Getenv("SOAK") == "" {
		return usual
	}
	return soak
}

func ownDisk(t *testing.T, path, options string) {
	t.Helper()
	must(t, syscall.Mount("tmpfs", path, "tmpfs", 0, options))
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
}

// extractMany extracts an archive that is made while it is read: a file in each of `names`
// directories, again and again. It returns what is in use after each half.
func extractMany(t *testing.T, tree Tree, entries, names int) (after [2]uint64, err error) {
	t.Helper()
	from, to := io.Pipe()
	done := make(chan error)
	go func() {
		err := tree.Extract(context.Background(), "/workdir", ExtractOptions{}, from)
		done <- errors.Join(err, from.CloseWithError(io.ErrClosedPipe))
	}()
	w := tar.NewWriter(to)
	for part := range after {
		for n := range entries / 4 {
			number := (part*entries/4 + n) % names
			directory := entry("d"+strconv.Itoa(number)+"/", tar.TypeDir, "")
			file := entry(directory.Name+"file", tar.TypeReg, "")
			err := errors.Join(w.WriteHeader(&directory), w.WriteHeader(&file))
			if err == nil {
				_, err = w.Write([]byte("data"))
			}
			if err != nil {
				must(t, to.Close())
				return after, <-done
			}
		}
		must(t, w.Flush())
		after[part] = heapInUse()
	}
	must(t, w.Close(), to.Close())
	return after, <-done
}

// An archive may have any number of entries: an extraction remembers none that it has left.
func TestAnArchiveOfManyEntriesTakesNoMoreMemory(t *testing.T) {
	tree, dir := treeForTest(t)
	ownDisk(t, dir+"/workdir", "")
	entries := soaked(4_000, 10_000_000)
	after, err := extractMany(t, tree, entries, min(entries, 10_000))
	must(t, err)
	// 2,000 entries of a few words each would be more.
	if after[1] > after[0]+64<<10 {
		t.Errorf("%d bytes are in use after half of the entries, %d after all", after[0], after[1])
	}
}

// A filesystem has a number of files as it has a number of bytes.
func TestAnArchiveOfMoreEntriesThanADiskHoldsIsRefused(t *testing.T) {
	tree, dir := treeForTest(t)
	ownDisk(t, dir+"/workdir", "nr_inodes=1000")
	_, err := extractMany(t, tree, 10_000_000, 10_000_000)
	var failed *Error
	if !errors.As(err, &failed) || failed.Code != CodeFull || !strings.Contains(failed.Message, "no space left on device") {
		t.Errorf("got %v", err)
	}
	made, err := os.ReadDir(dir + "/workdir")
	must(t, err)
	for _, directory := range made {
		files, err := os.ReadDir(dir + "/workdir/" + directory.Name())
		if err != nil || len(files) > 1 || len(files) == 1 && files[0].Name() != "file" {
			t.Errorf("%s: got %v, %v", directory.Name(), files, err)
		}
	}
}

// A commit and a diff list each directory in order, and so hold its names.
func TestADirectoryOfTooManyNamesIsRefused(t *testing.T) {
	dir := t.TempDir()
	most := soaked(100, maxNames)
	const links = 50_000
	for n := range most + 1 {
		name := dir + "/" + strconv.Itoa(n)
		if n%links == 0 {
			must(t, os.WriteFile(name, nil, 0o600))
		} else {
			must(t, os.Link(dir+"/"+strconv.Itoa(n-n%links), name))
		}
	}
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	must(t, err)
	defer syscall.Close(fd)
	var failed *Error
	if _, err := fewNames(fd, "/x", most); !errors.As(err, &failed) || failed.Message != "more than "+strconv.Itoa(most)+" names in the directory /x" {
		t.Errorf("got %v", err)
	}
	must(t, os.Remove(dir+"/0"))
	if _, err := syscall.Seek(fd, 0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	before := heapInUse()
	names, err := fewNames(fd, "/x", most)
	if used := int64(heapInUse()) - int64(before); err != nil || len(names) != most || used > 80<<20 {
		t.Errorf("got %d names in %d bytes, %v", len(names), used, err)
	}
	runtime.KeepAlive(names)
}
