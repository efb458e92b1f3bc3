package ext4

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const checksummedBytes = 140 << 20

func formatted(t *testing.T) (string, *layout) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(checksummedBytes), FormatJournaled(file, checksummedBytes, seed), file.Close()); err != nil {
		t.Fatal(err)
	}
	l, err := layOut(checksummedBytes, seed)
	if err != nil {
		t.Fatal(err)
	}
	l.journal = smallJournal
	return path, l
}

func TestFilesystemAndJournalSayThatTheyHaveChecksums(t *testing.T) {
	path, _ := formatted(t)
	output, err := exec.Command("dumpe2fs", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"metadata_csum\n", "Checksum type:            crc32c\n",
		"Journal features:         journal_checksum_v3\n", "Journal checksum type:    crc32c\n",
	} {
		if !strings.Contains(string(output), line) {
			t.Errorf("dumpe2fs does not say %q:\n%s", line, output)
		}
	}
}

// TestAChangeOfEachStructureIsFoundByItsChecksum changes one bit, in most of them one that could as
// well be so.
func TestAChangeOfEachStructureIsFoundByItsChecksum(t *testing.T) {
	_, l := formatted(t)
	says := regexp.MustCompile("checksum|Journal superblock is corrupt")
	inode := (l.firstOwn(0) + 2) * blockBytes
	for name, at := range map[string]int64{
		"the superblock's time of its last check": superblockOffset + 0x40,
		"a descriptor's free inodes":              blockBytes + 14,
		"a block bitmap":                          l.firstOwn(0)*blockBytes + 100,
		"an inode bitmap":                         (l.firstOwn(0)+1)*blockBytes + 100,
		"the time of the root's inode":            inode + (rootInode-1)*inodeBytes + 8,
		"the time of the journal's inode":         inode + (journalInode-1)*inodeBytes + 8,
		"a name in the root":                      l.firstData()*blockBytes + 12 + 12 + 8,
		"the room after a directory's last name":  (l.firstData()+1)*blockBytes + 1000,
		"the journal's superblock":                l.firstJournal()*blockBytes + 0x4c,
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := formatted(t)
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			c := make([]byte, 1)
			_, readErr := file.ReadAt(c, at)
			c[0] ^= 1
			_, writeErr := file.WriteAt(c, at)
			if err := errors.Join(readErr, writeErr, file.Close()); err != nil {
				t.Fatal(err)
			}
			output, err := exec.Command("e2fsck", "-f", "-n", path).CombinedOutput()
			if err == nil || !says.Match(output) {
				t.Errorf("e2fsck: %v\n%s", err, output)
			}
		})
	}
}
