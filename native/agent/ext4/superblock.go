package ext4

import "encoding/binary"

// Features, fs/ext4/ext4.h.
const (
	compatJournal            = 0x4
	compatExtendedAttributes = 0x8
	compatDirectoryIndex     = 0x20
	// With no backup named, the first group has the only superblock.
	compatSparseSuper2 = 0x200

	incompatFileType = 0x2
	incompatExtents  = 0x40

	readonlyLargeFile   = 0x2
	readonlyHugeFile    = 0x8
	readonlyManyLinks   = 0x20
	readonlyLargeInodes = 0x40
	readonlySums        = 0x400
)

const (
	superblockOffset = 1024
	// extraBytes of an inode hold nanoseconds and years after 2038.
	extraBytes = 32
)

// superblock is the first block. Fields that stay zero are not named.
func (l *layout) superblock() []byte {
	block := make([]byte, blockBytes)
	s := block[superblockOffset:]
	for offset, value := range map[int]uint32{
		0x00: uint32(l.groups * inodesPerGroup),
		0x04: uint32(l.blocks),
		0x0c: uint32(l.free()),
		0x10: uint32(l.groups*inodesPerGroup - usedInodes),
		// Blocks and clusters of 1024 << 2 bytes.
		0x18: 2,
		0x1c: 2,
		0x20: blocksPerGroup,
		0x24: blocksPerGroup,
		0x28: inodesPerGroup,
		// Revision 1 has features; the first inode for files.
		0x4c: 1,
		0x54: foundInode,
		0x5c: compatExtendedAttributes | compatDirectoryIndex | compatSparseSuper2,
		0x60: incompatFileType | incompatExtents,
		0x64: readonlyLargeFile | readonlyHugeFile | readonlyManyLinks | readonlyLargeInodes | readonlySums,
		// Names are hashed as signed bytes, which they are on x86.
		0x160: 1,
	} {
		binary.LittleEndian.PutUint32(s[offset:], value)
	}
	for offset, value := range map[int]uint16{
		// No number of mounts asks for a check.
		0x36: 0xffff,
		0x38: 0xef53,
		// Clean; errors make it read-only.
		0x3a:  1,
		0x3c:  2,
		0x58:  inodeBytes,
		0x15c: extraBytes,
		0x15e: extraBytes,
	} {
		binary.LittleEndian.PutUint16(s[offset:], value)
	}
	if l.journal > 0 {
		s[0x5c] |= compatJournal
		s[0xe0] = journalInode
	}
	copy(s[0x68:], l.seed.UUID[:])
	copy(s[0xec:], l.seed.Hash[:])
	// Half MD4.
	s[0xfc] = 1
	// CRC32C.
	s[0x175] = 1
	l.signSuperblock(s)
	return block
}
