package ext4

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// Lengths of a journal, in blocks: the kernel takes none below the first.
const (
	smallJournal = 1024
	largeJournal = 4096
	// largeBlocks is the length from which on a filesystem has the large one: 1 GiB.
	largeBlocks = 1 << 30 / blockBytes
	// journalWrite is how many blocks of it are written at once.
	journalWrite = 64
)

// FormatJournaled writes an empty filesystem that the kernel can use again after a crash. All of
// the journal is written: a replay reads it beyond the last block that the kernel has written.
func FormatJournaled(device io.WriterAt, bytes int64, seed Seed) error {
	l, err := layOut(bytes, seed)
	if err != nil {
		return err
	}
	l.journal = smallJournal
	if l.blocks >= largeBlocks {
		l.journal = largeJournal
	}
	if l.freeIn(0) < smallJournal {
		return errors.New(strconv.FormatInt(bytes, 10) + " bytes cannot hold the filesystem and its journal")
	}
	return l.format(device)
}

// firstJournal is its first block.
func (l *layout) firstJournal() int64 { return l.firstData() + directories }

func (l *layout) writeJournal(device io.WriterAt) error {
	for at := int64(0); at < l.journal; at += journalWrite {
		blocks := make([]byte, journalWrite*blockBytes)
		if at == 0 {
			copy(blocks, l.journalSuperblock())
		}
		if err := write(device, l.firstJournal()+at, blocks); err != nil {
			return err
		}
	}
	return nil
}

// journalSuperblock is of an empty journal, linux/jbd2.h; its numbers are big-endian.
func (l *layout) journalSuperblock() []byte {
	s := make([]byte, 1024)
	for offset, value := range map[int]uint32{
		0x00: 0xc03b3998,
		// A superblock, version 2.
		0x04: 4,
		0x0c: blockBytes,
		0x10: uint32(l.journal),
		// The first block of the log, and the first commit that is expected in it.
		0x14: 1,
		0x18: 1,
		// Checksums of every block of the log, version 3.
		0x28: 0x10,
		// One filesystem uses it.
		0x40: 1,
	} {
		binary.BigEndian.PutUint32(s[offset:], value)
	}
	copy(s[0x30:], l.seed.UUID[:])
	// CRC32C.
	s[0x50] = 4
	binary.BigEndian.PutUint32(s[0xfc:], crc32c(everything, s))
	return s
}
