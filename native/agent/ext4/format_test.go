package ext4

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var seed = Seed{UUID: [16]byte{1, 2, 3}, Hash: [16]byte{4, 5, 6}}

// TestFormatIsWhatE2fsckTakes in every shape of the last group.
func TestFormatIsWhatE2fsckTakes(t *testing.T) {
	checker, err := exec.LookPath("e2fsck")
	if err != nil {
		t.Fatal("e2fsprogs is not installed: ", err)
	}
	const group = blocksPerGroup * blockBytes
	for format, write := range map[string]func(io.WriterAt, int64, Seed) error{"plain": Format, "journaled": FormatJournaled} {
		for name, bytes := range map[string]int64{
			"the smallest":                     minBlocks * blockBytes,
			"the smallest with a journal":      (1 + 1 + ownBlocks + 2 + 2*smallJournal) * blockBytes,
			"not whole blocks":                 20<<20 + 4095,
			"one group":                        group,
			"one group and a block":            group + blockBytes,
			"a last group of tables only":      group + ownBlocks*blockBytes,
			"a last group with little room":    group + (ownBlocks+64)*blockBytes,
			"many groups":                      10 << 30,
			"more than one descriptors' block": 20 << 30,
			"a large disk":                     300 << 30,
		} {
			if format == "journaled" && bytes < (1+1+ownBlocks+2+2*smallJournal)*blockBytes {
				continue
			}
			t.Run(format+"/"+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "disk")
				file, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if err := errors.Join(file.Truncate(bytes), write(file, bytes, seed)); err != nil {
					t.Fatal(err)
				}
				output, err := exec.Command(checker, "-f", "-n", path).CombinedOutput()
				if err != nil {
					t.Errorf("e2fsck: %v\n%s", err, output)
				}
			})
		}
	}
}

func TestAJournalIsNotLargerThanItsFilesystem(t *testing.T) {
	for _, bytes := range []int64{minBlocks * blockBytes, (1 + 1 + ownBlocks + 2 + 2*smallJournal - 1) * blockBytes} {
		if err := FormatJournaled(nothing{t}, bytes, seed); err == nil || !strings.Contains(err.Error(), "and its journal") {
			t.Errorf("%d bytes: got %v", bytes, err)
		}
	}
}

func TestFormatRefusesLengthsThatItHasNoNumbersFor(t *testing.T) {
	for _, bytes := range []int64{-1, 0, minBlocks*blockBytes - 1, (maxBlocks + 1) * blockBytes, 1<<63 - 1} {
		if err := Format(nothing{t}, bytes, seed); err == nil || !strings.Contains(err.Error(), "cannot hold") {
			t.Errorf("%d bytes: got %v", bytes, err)
		}
	}
}

type nothing struct{ t *testing.T }

func (n nothing) WriteAt([]byte, int64) (int, error) {
	n.t.Error("something was written")
	return 0, nil
}

// blocks counts what is written, in whole blocks at their places.
type blocks struct {
	t       *testing.T
	written int
	fail    int
}

var errFull = errors.New("full")

func (b *blocks) WriteAt(data []byte, at int64) (int, error) {
	if len(data)%blockBytes != 0 || at%blockBytes != 0 {
		b.t.Errorf("%d bytes at %d are not whole blocks", len(data), at)
	}
	if b.written == b.fail {
		return 0, errFull
	}
	b.written++
	return len(data), nil
}

func TestFormatTellsOfEveryWriteThatFails(t *testing.T) {
	all := &blocks{t: t, fail: -1}
	if err := Format(all, 1<<30+600<<12, seed); err != nil {
		t.Fatal(err)
	}
	for fail := range all.written {
		if err := Format(&blocks{t: t, fail: fail}, 1<<30+600<<12, seed); !errors.Is(err, errFull) {
			t.Errorf("write %d: got %v", fail, err)
		}
	}
	// The journal comes last.
	for fail := range all.written + smallJournal/journalWrite {
		if err := FormatJournaled(&blocks{t: t, fail: fail}, 1<<29+600<<12, seed); !errors.Is(err, errFull) {
			t.Errorf("write %d with a journal: got %v", fail, err)
		}
	}
}
