package dm

import (
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// A kept disk is encrypted as those of Encrypt are, and used again by a later guest that has its
// keys. So dm-integrity keeps a journal: without one, a crash between the write of a sector and
// that of its tag would leave a sector that nobody can read. The journal has a MAC, and with
// fix_hmac the superblock too, which tells the kernel's parser of changes that the host has made.
const (
	// KeptStart is where dm-integrity's area begins. The bytes before it are the caller's.
	KeptStart = 1 << 20
	// keptJournal is the length of the journal, in sectors.
	keptJournal = 8192
	// MinKept is the least length of such a disk.
	MinKept = 32 << 20
)

// KeptKeys are the keys of a kept disk.
type KeptKeys struct {
	// Data is for the sectors, and Journal for the MAC of the journal.
	Data    [keyBytes]byte
	Journal [32]byte
}

// Clear overwrites the keys.
func (k *KeptKeys) Clear() { *k = KeptKeys{} }

// ErrNoKept is a disk without dm-integrity's superblock. The kernel would write a new one.
var ErrNoKept = errors.New("the disk has no superblock of dm-integrity")

// FormatKept makes a kept disk of a disk with any content. No sector of it can be read before it
// is written.
func FormatKept(name, disk string, keys *KeptKeys) (*Encrypted, error) {
	if err := wipeHead(disk, KeptStart); err != nil {
		return nil, err
	}
	return keep(name, disk, keys)
}

// OpenKept opens a disk that FormatKept has made. It writes nothing to a disk without a superblock.
// With other keys, sectors cannot be read.
func OpenKept(name, disk string, keys *KeptKeys) (*Encrypted, error) {
	block, err := readDirect(disk, KeptStart)
	if err != nil {
		return nil, err
	}
	const magic = "integrt\x00"
	if string(block[:len(magic)]) != magic {
		return nil, ErrNoKept
	}
	return keep(name, disk, keys)
}

// readDirect reads a block past the guest's cache, which does not see what dm-integrity writes.
func readDirect(disk string, at int64) ([]byte, error) {
	file, err := os.OpenFile(disk, os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, 2*blockBytes)
	skip := -int(uintptr(unsafe.Pointer(&buffer[0]))) & (blockBytes - 1)
	block := buffer[skip:][:blockBytes]
	_, err = file.ReadAt(block, at)
	return block, errors.Join(err, file.Close())
}

func keep(name, disk string, keys *KeptKeys) (*Encrypted, error) {
	size, err := sizeOf(disk)
	if err != nil {
		return nil, err
	}
	if size < MinKept || size > maxBytes {
		return nil, errors.New("a disk of " + strconv.FormatInt(size, 10) + " bytes cannot be encrypted")
	}
	length := keptSectors(size / SectorBytes)
	integrity := keptTarget(disk, length, keys.Journal[:])
	defer clear(integrity.Params)
	return stack(name, integrity, length, keys.Data[:])
}

// keptSectors is how much fits on a disk beside what the caller has, the journal and the tags.
func keptSectors(disk int64) int64 { return dataSectors(disk - KeptStart/SectorBytes - keptJournal) }

// keptTarget is the table of the lower device, with the journal's key in hexadecimal digits.
func keptTarget(disk string, sectors int64, key []byte) Target {
	before := disk + " " + strconv.Itoa(KeptStart/SectorBytes) + " " + strconv.Itoa(tagBytes) + " J 6 block_size:" +
		strconv.Itoa(encryptedSector) + " interleave_sectors:" + strconv.Itoa(runSectors) + " journal_sectors:" +
		strconv.Itoa(keptJournal) + " fix_padding fix_hmac journal_mac:hmac(sha256):"
	// Made at its full length: an append that grows it would leave a copy behind.
	params := make([]byte, 0, len(before)+2*len(key))
	params = append(params, before...)
	return Target{Sectors: uint64(sectors), Kind: "integrity", Params: hex.AppendEncode(params, key)}
}
