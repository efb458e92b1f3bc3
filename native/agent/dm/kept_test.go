package dm

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
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

// superblock is one as the kernel of a guest has written it.
func superblock(key *[32]byte) []byte {
	block := make([]byte, blockBytes)
	copy(block, "integrt\x00\x05\x0f\x30\x00\x1f\x00\x00\x00")
	binary.LittleEndian.PutUint64(block[16:], 40960)
	block[24], block[28], block[29] = 0x19, 3, 12
	copy(block[48:64], "salt of the disk")
	return sign(block, key)
}

func sign(block []byte, key *[32]byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(block[:480])
	copy(block[480:512], mac.Sum(nil))
	return block
}

func TestASuperblockIsTakenAsTheKernelHasWrittenItAlone(t *testing.T) {
	key := [32]byte{1}
	if err := checkSuperblock(superblock(&key), &key); err != nil {
		t.Errorf("got %v", err)
	}
	if err := checkSuperblock(superblock(&key), &[32]byte{2}); !errors.Is(err, ErrSuperblock) {
		t.Errorf("another key: got %v", err)
	}
	for at := len(superblockMagic); at < SectorBytes; at++ {
		block := superblock(&key)
		block[at] ^= 1
		if err := checkSuperblock(block, &key); !errors.Is(err, ErrSuperblock) {
			t.Errorf("byte %d was changed: got %v", at, err)
		}
	}
	// Whatever the fields say of a MAC, and where it is right.
	for name, change := range map[string]func([]byte){
		"an older version":    func(b []byte) { b[8] = 4 },
		"a newer version":     func(b []byte) { b[8] = 6 },
		"shorter runs":        func(b []byte) { b[9] = 14 },
		"no shift at all":     func(b []byte) { b[9] = 255 },
		"another tag":         func(b []byte) { b[10] = 32 },
		"no MAC":              func(b []byte) { b[24] &^= 0x10 },
		"a bitmap":            func(b []byte) { b[24] |= 0x4 },
		"a recalculation":     func(b []byte) { b[24] |= 0x2 },
		"flags of the future": func(b []byte) { b[27] = 1 },
		"smaller blocks":      func(b []byte) { b[28] = 0 },
	} {
		block := superblock(&key)
		change(block)
		if err := checkSuperblock(sign(block, &key), &key); !errors.Is(err, ErrSuperblock) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestADiskWhoseSuperblockHasNoMACIsNotOpenedAndNotWrittenTo(t *testing.T) {
	keys := KeptKeys{Journal: [32]byte{1}}
	block := superblock(&keys.Journal)
	block[24] = 0x1 | 0x4 | 0x8
	path := filepath.Join(t.TempDir(), "disk")
	content := append(append(make([]byte, KeptStart), block...), make([]byte, MinKept-KeptStart-blockBytes)...)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept("x", path, &keys); !errors.Is(err, ErrSuperblock) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("it was changed: %v", err)
	}
}

// told is a table as the kernel tells it.
func told(t *testing.T, params string) *table {
	t.Helper()
	buffer := make([]byte, headerBytes+specBytes+maxTable)
	binary.NativeEndian.PutUint32(buffer[atDataStart:], headerBytes)
	binary.NativeEndian.PutUint32(buffer[atTargetCount:], 1)
	copy(buffer[headerBytes+24:], "integrity")
	copy(buffer[headerBytes+specBytes:], params)
	parsed, err := parseTable(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestTheTableThatTheKernelTellsIsThatOfOurSuperblock(t *testing.T) {
	keys := &KeptKeys{Journal: [32]byte(bytes.Repeat([]byte{0x5a}, 32))}
	good := "253:0 2048 48 J 9 block_size:4096 interleave_sectors:32768 buffer_sectors:128 journal_sectors:8184 " +
		"journal_watermark:50 commit_time:10000 fix_padding fix_hmac journal_mac:hmac(sha256):" + strings.Repeat("5a", 32)
	if err := checkKept(told(t, good), keys); err != nil {
		t.Errorf("got %v", err)
	}
	for name, change := range map[string][2]string{
		"no MAC":             {"J 9 ", "J 8 "},
		"fewer words":        {" fix_hmac", ""},
		"a word twice":       {"fix_hmac", "fix_padding"},
		"another padding":    {"fix_padding", "fix_paddings"},
		"a recalculation":    {" fix_padding", " recalculate fix_padding"},
		"in place of it":     {"fix_padding", "recalculate"},
		"another start":      {"2048", "4096"},
		"another tag":        {" 48 ", " 32 "},
		"another mode":       {" J ", " D "},
		"shorter runs":       {"interleave_sectors:32768", "interleave_sectors:16384"},
		"a shorter journal":  {"journal_sectors:8184", "journal_sectors:264"},
		"smaller blocks":     {"block_size:4096", "block_size:512"},
		"another key":        {"sha256):5a", "sha256):5b"},
		"another algorithm":  {"hmac(sha256)", "hmac(md5)"},
		"nothing of its own": {"commit_time:10000", "commit_times"},
	} {
		if err := checkKept(told(t, strings.Replace(good, change[0], change[1], 1)), keys); !errors.Is(err, ErrSuperblock) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	other := told(t, good)
	other.kind = "linear"
	if err := checkKept(other, keys); !errors.Is(err, ErrSuperblock) {
		t.Errorf("got %v", err)
	}
}

func TestATableThatWasNotToldWholeIsNone(t *testing.T) {
	for name, change := range map[string]func([]byte){
		"no room":      func(b []byte) { binary.NativeEndian.PutUint32(b[atFlags:], flagFull) },
		"no target":    func(b []byte) { binary.NativeEndian.PutUint32(b[atTargetCount:], 0) },
		"two targets":  func(b []byte) { binary.NativeEndian.PutUint32(b[atTargetCount:], 2) },
		"another way":  func(b []byte) { binary.NativeEndian.PutUint32(b[atDataStart:], 1<<30) },
		"without ends": func(b []byte) { copy(b[headerBytes:], bytes.Repeat([]byte{'x'}, len(b))) },
	} {
		buffer := append([]byte(nil), told(t, "a b").buffer...)
		change(buffer)
		if got, err := parseTable(buffer); !errors.Is(err, errTable) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestTheSmallestKeptDiskHoldsAFileSystem(t *testing.T) {
	if got := keptSectors(MinKept / SectorBytes); got*SectorBytes < 24<<20 || got%8 != 0 {
		t.Errorf("got %d sectors", got)
	}
}
