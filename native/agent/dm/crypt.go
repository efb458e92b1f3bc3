package dm

import (
	"encoding/hex"
	"errors"
	"os"
	"strconv"

	"a3s.dev/box/agent/linux"
)

// How a disk is encrypted: AES-256-XTS, and HMAC-SHA-256 over the sector's number, its IV and its
// ciphertext. Each write draws an IV, so that the host learns of no sector whether it holds again
// what it held before. The disk keeps IV and tag of a sector in an area that dm-integrity lays out;
// it keeps no journal, for no key is left that could read the disk after a crash.
const (
	cipher = "capi:authenc(hmac(sha256),xts(aes))-random"
	// keyBytes are 64 for XTS, and 32 for the HMAC.
	keyBytes = 64 + 32
	// tagBytes are 16 of IV and 32 of HMAC.
	tagBytes = 16 + 32
	// encryptedSector is the unit of encryption, and of every read and write.
	encryptedSector = 4096
)

// dm-integrity's layout, in sectors: superblock and journal, then runs of data, each after the area
// of its tags.
const (
	headSectors = 1024
	runSectors  = 32768
	tagSectors  = runSectors * SectorBytes / encryptedSector * tagBytes / SectorBytes
	// minDiskSectors leaves room for anything at all.
	minDiskSectors = 4 << 20 / SectorBytes
)

// Encrypted is a disk whose content only this guest can read, or write so that it reads it.
type Encrypted struct {
	Device
	lower Device
	// Bytes is its length.
	Bytes int64
}

// dataSectors is how much fits on a disk beside tags and head.
func dataSectors(disk int64) int64 {
	runs := (disk - headSectors) / (runSectors + tagSectors)
	rest := max(0, (disk-headSectors)%(runSectors+tagSectors)-tagSectors)
	return (runs*runSectors + rest) &^ (encryptedSector/SectorBytes - 1)
}

// Encrypt makes an encrypted device of a disk with any content, under a random key that the kernel
// alone keeps. A sector cannot be read before it is written: its old content is no ciphertext.
//
// The host can give back an earlier state of a sector, IV and tag included, and it is taken: of
// that, dm-integrity keeps no record.
func Encrypt(name, disk string) (*Encrypted, error) {
	size, err := sizeOf(disk)
	if err != nil {
		return nil, err
	}
	sectors := size / SectorBytes
	if sectors < minDiskSectors || size > maxBytes {
		return nil, errors.New("a disk of " + strconv.FormatInt(size, 10) + " bytes cannot be encrypted")
	}
	if err := wipeHead(disk, 0); err != nil {
		return nil, err
	}
	key := make([]byte, keyBytes)
	defer clear(key)
	if err := linux.Secret(key); err != nil {
		return nil, err
	}
	length := dataSectors(sectors)
	return stack(name, integrityTarget(disk, length), nil, length, key)
}

// stack makes the lower device, whose table a check may refuse, and the upper one under a key.
func stack(name string, integrity Target, check func(*table) error, length int64, key []byte) (*Encrypted, error) {
	lower, err := createChecked(name+"-integrity", flagSecure, integrity, check)
	if err != nil {
		return nil, err
	}
	target := cryptTarget(lower.Path, length, key)
	defer clear(target.Params)
	upper, err := Create(name, flagSecure, target)
	if err != nil {
		return nil, errors.Join(err, lower.Remove())
	}
	return &Encrypted{upper, lower, length * SectorBytes}, nil
}

// Remove takes both devices away, and with them the key.
func (e *Encrypted) Remove() error { return errors.Join(e.Device.Remove(), e.lower.Remove()) }

// wipeHead has dm-integrity write a superblock of its own: it takes zeros for a new disk.
func wipeHead(disk string, at int64) error {
	file, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, headSectors*SectorBytes), at)
	return errors.Join(err, file.Sync(), file.Close())
}

// integrityTarget is the table of the lower device: direct writes ("D"), the shortest journal area,
// tags that it does not compute itself.
func integrityTarget(disk string, sectors int64) Target {
	return Target{
		Sectors: uint64(sectors), Kind: "integrity",
		Params: []byte(disk + " 0 " + strconv.Itoa(tagBytes) + " D 4 block_size:" + strconv.Itoa(encryptedSector) +
			" interleave_sectors:" + strconv.Itoa(runSectors) + " journal_sectors:1 fix_padding"),
	}
}

// cryptTarget is the table of the upper one. The key is in it, in hexadecimal digits.
func cryptTarget(lower string, sectors int64, key []byte) Target {
	const before = cipher + " "
	after := " 0 " + lower + " 0 2 integrity:" + strconv.Itoa(tagBytes) + ":aead sector_size:" + strconv.Itoa(encryptedSector)
	// Made at its full length: an append that grows it would leave a copy behind.
	params := make([]byte, 0, len(before)+2*len(key)+len(after))
	params = append(params, before...)
	params = hex.AppendEncode(params, key)
	return Target{Sectors: uint64(sectors), Kind: "crypt", Params: append(params, after...)}
}
