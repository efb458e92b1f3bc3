package dm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTableOfAKeptDiskNamesItsJournalAndTheMACOfIt(t *testing.T) {
	target := keptTarget("/dev/vdc", 65536, bytes.Repeat([]byte{0x5a}, 32))
	want := "/dev/vdc 2048 48 J 6 block_size:4096 interleave_sectors:32768 journal_sectors:8192 fix_padding fix_hmac " +
		"journal_mac:hmac(sha256):" + strings.Repeat("5a", 32)
	if string(target.Params) != want || target.Kind != "integrity" || target.Sectors != 65536 {
		t.Errorf("got %s: %s", target.Kind, target.Params)
	}
	if cap(target.Params) != len(target.Params) {
		t.Error("the key may have been copied on the way")
	}
	if strings.Count(want, " ")-4 != 6 {
		t.Error("the number of options is another")
	}
}

func TestADiskWithoutASuperblockIsNotOpenedAndNotWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	content := bytes.Repeat([]byte{7}, MinKept)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept("x", path, &KeptKeys{}); !errors.Is(err, ErrNoKept) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("it was changed: %v", err)
	}
	if err := os.Truncate(path, KeptStart+4); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept("x", path, &KeptKeys{}); err == nil {
		t.Error("a disk that ends there was opened")
	}
}

func TestTheSmallestKeptDiskHoldsAFileSystem(t *testing.T) {
	if got := keptSectors(MinKept / SectorBytes); got*SectorBytes < 24<<20 || got%8 != 0 {
		t.Errorf("got %d sectors", got)
	}
}
