package dm

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"
)

// A kept disk is encrypted as those of Encrypt are, and used again by a later guest that has its
// keys. So dm-integrity keeps a journal: without one, a crash between the write of a sector and
// that of its tag would leave a sector that nobody can read. The journal has a MAC, and with
// fix_hmac the superblock too: see checkSuperblock.
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

// Errors of a disk that is not as FormatKept makes them.
var (
	// ErrNoKept is a disk without dm-integrity's superblock. The kernel would write a new one.
	ErrNoKept = errors.New("the disk has no superblock of dm-integrity")
	// ErrSuperblock is one that differs from what the kernel has written under these keys.
	ErrSuperblock = errors.New("the superblock of dm-integrity was changed, or is of other keys")
)

// FormatKept makes a kept disk of a disk with any content. No sector of it can be read before it
// is written.
func FormatKept(name, disk string, keys *KeptKeys) (*Encrypted, error) {
	if err := wipeHead(disk, KeptStart); err != nil {
		return nil, err
	}
	return keep(name, disk, keys)
}

// OpenKept opens a disk that FormatKept has made. It writes nothing to a disk whose superblock is
// not of these keys. With other keys, sectors cannot be read.
//
// The check here is of disks at rest: it keeps what was changed on one from the kernel's parser.
// The kernel reads the superblock twice again, when it loads the table and when the device goes on,
// and the host can give it another one each time. What it has read is in the table that it
// reports then: see checkKept. Zeros are the exception: the kernel writes a new superblock in place
// of them, as good as the old one, and the journal is lost, as with an older copy of it.
func OpenKept(name, disk string, keys *KeptKeys) (*Encrypted, error) {
	block, err := readDirect(disk, KeptStart)
	if err != nil {
		return nil, err
	}
	if err := checkSuperblock(block, &keys.Journal); err != nil {
		return nil, err
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

// Where the fields of dm-integrity's superblock are, in little-endian order, and its flags.
const (
	superblockMagic  = "integrt\x00"
	atSBVersion      = 8
	atSBInterleave   = 9
	atSBTag          = 10
	atSBFlags        = 24
	atSBBlock        = 28
	atSBMAC          = SectorBytes - sha256.Size
	sbVersion        = 5
	sbHaveJournalMAC = 1 << 0
	sbFixedPadding   = 1 << 3
	sbFixedHMAC      = 1 << 4
)

// checkSuperblock says whether the kernel has written a superblock under a key. The kernel itself
// checks the MAC only where a flag in the superblock says that there is one, so a host that clears
// the flag could choose all the other fields.
func checkSuperblock(block []byte, key *[32]byte) error {
	if string(block[:len(superblockMagic)]) != superblockMagic {
		return ErrNoKept
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write(block[:atSBMAC])
	isOurs := block[atSBVersion] == sbVersion &&
		1<<block[atSBInterleave] == runSectors &&
		binary.LittleEndian.Uint16(block[atSBTag:]) == tagBytes &&
		binary.LittleEndian.Uint32(block[atSBFlags:]) == sbHaveJournalMAC|sbFixedPadding|sbFixedHMAC &&
		1<<block[atSBBlock] == encryptedSector/SectorBytes &&
		hmac.Equal(mac.Sum(nil), block[atSBMAC:SectorBytes])
	if !isOurs {
		return ErrSuperblock
	}
	return nil
}

// journalTold is the length of the journal as the kernel tells it: whole sections, each of 32
// entries of 4096 bytes and 8 sectors that describe them.
const journalTold = keptJournal / sectionSectors * sectionSectors

const sectionSectors = 32*encryptedSector/SectorBytes + 8

// checkKept says whether the kernel has read a superblock as checkSuperblock wants it: the table
// that it reports has flags and sizes of the superblock, in place of those that it was given. With
// fix_hmac in it, the kernel has checked the MAC.
func checkKept(t *table, keys *KeptKeys) error {
	words := bytes.Fields(t.params)
	const macWord = "journal_mac:hmac(sha256):"
	// Made at its full length, as in keptTarget.
	mac := append(make([]byte, 0, len(macWord)+2*len(keys.Journal)), macWord...)
	mac = hex.AppendEncode(mac, keys.Journal[:])
	defer clear(mac)
	options := [][]byte{
		[]byte("block_size:" + strconv.Itoa(encryptedSector)),
		[]byte("interleave_sectors:" + strconv.Itoa(runSectors)),
		[]byte("journal_sectors:" + strconv.Itoa(journalTold)), []byte("fix_padding"), []byte("fix_hmac"), mac,
	}
	// What the kernel chooses by itself.
	chosen := []string{"buffer_sectors:", "journal_watermark:", "commit_time:"}
	if t.kind != "integrity" || len(words) != 5+len(options)+len(chosen) {
		return ErrSuperblock
	}
	isOurs := string(bytes.Join(words[1:5], []byte(" "))) == strconv.Itoa(KeptStart/SectorBytes)+" "+
		strconv.Itoa(tagBytes)+" J "+strconv.Itoa(len(options)+len(chosen))
	// As many words as there are options, and each option is there: none is another or repeated.
	for _, option := range options {
		isOurs = isOurs && slices.ContainsFunc(words[5:], func(word []byte) bool { return bytes.Equal(word, option) })
	}
	for _, prefix := range chosen {
		isOurs = isOurs && slices.ContainsFunc(words[5:], func(word []byte) bool { return bytes.HasPrefix(word, []byte(prefix)) })
	}
	if !isOurs {
		return ErrSuperblock
	}
	return nil
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
	return stack(name, integrity, func(t *table) error { return checkKept(t, keys) }, length, keys.Data[:])
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
