package files

import (
	"archive/tar"
	"context"
	"io"
	"runtime"
	"strconv"
	"testing"
)

// heapInUse is what is still referenced.
func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// An archive may have any number of entries: an extraction remembers none that it has left.
func TestAnArchiveOfManyEntriesTakesNoMoreMemory(t *testing.T) {
	tree, _ := treeForTest(t)
	from, to := io.Pipe()
	done := make(chan error)
	go func() { done <- tree.Extract(context.Background(), "/workdir", ExtractOptions{}, from) }()
	w := tar.NewWriter(to)
	var after [2]uint64
	for part := range after {
		for n := range 1_000 {
			directory := entry("d"+strconv.Itoa(part)+"-"+strconv.Itoa(n)+"/", tar.TypeDir, "")
			must(t, w.WriteHeader(&directory))
			file := entry(directory.Name+"file", tar.TypeReg, "")
			must(t, w.WriteHeader(&file))
			_, err := w.Write([]byte("data"))
			must(t, err)
		}
		must(t, w.Flush())
		after[part] = heapInUse()
	}
	must(t, w.Close(), to.Close(), <-done)
	// 2,000 entries of a few words each would be more.
	if after[1] > after[0]+64<<10 {
		t.Errorf("%d bytes are in use after half of the entries, %d after all", after[0], after[1])
	}
}
