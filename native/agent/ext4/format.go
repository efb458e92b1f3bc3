// Package ext4 makes empty ext4 filesystems on devices that hold nothing yet, not even zeros.
//
// Only what the kernel reads is written, some twenty blocks for any length: the other groups are
// marked as never used, and the kernel makes their bitmaps itself (fs/ext4, EXT4_BG_BLOCK_UNINIT
// and EXT4_BG_INODE_UNINIT). There is no copy of the superblock, and a journal only where the
// filesystem is used after a crash.
package ext4

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

const (
	blockBytes     = 4096
	blocksPerGroup = 8 * blockBytes
	inodesPerGroup = 8192
	inodeBytes     = 256
	descriptorSize = 32
	// tableBlocks is the length of a group's inode table.
	tableBlocks = inodesPerGroup * inodeBytes / blockBytes
	// ownBlocks are a group's two bitmaps and its inode table.
	ownBlocks = 2 + tableBlocks
	minBlocks = 1024
	// maxBlocks is the limit of 32-bit block numbers.
	maxBlocks = 1<<32 - 1

	rootInode    = 2
	journalInode = 8
	foundInode   = 11
	usedInodes   = foundInode

	// directories have a block each: the root and lost+found.
	directories = 2
)

// Flags of a group: its bitmaps are not written.
const (
	inodeUninit = 1 << 0
	blockUninit = 1 << 1
)

// Seed is random bytes that make one filesystem differ from another.
type Seed struct {
	UUID [16]byte
	// Hash keeps names in directories from colliding by design.
	Hash [16]byte
}

// layout is where things are.
type layout struct {
	blocks, groups int64
	// descriptors is the number of blocks that hold the groups' descriptors, from block 1 on.
	descriptors int64
	// journal is the number of blocks of the journal, which follows the directories.
	journal int64
	seed    Seed
}

// Format writes an empty filesystem without a journal, of so many bytes, in whole blocks.
func Format(device io.WriterAt, bytes int64, seed Seed) error {
	l, err := layOut(bytes, seed)
	if err != nil {
		return err
	}
	return l.format(device)
}

func (l *layout) format(device io.WriterAt) error {
	if err := write(device, 0, l.superblock()); err != nil {
		return err
	}
	if err := write(device, 1, l.table()); err != nil {
		return err
	}
	at := l.firstOwn(0)
	for index, block := range [][]byte{
		l.blockBitmap(0), l.inodeBitmap(), l.inodes(),
	} {
		if err := write(device, at+int64(index), block); err != nil {
			return err
		}
	}
	if last := l.groups - 1; l.isPart(last) && last > 0 {
		if err := write(device, l.firstOwn(last), l.blockBitmap(last)); err != nil {
			return err
		}
	}
	for index, block := range [][]byte{
		l.directory(entry{rootInode, "."}, entry{rootInode, ".."}, entry{foundInode, "lost+found"}),
		l.directory(entry{foundInode, "."}, entry{rootInode, ".."}),
	} {
		if err := write(device, l.firstData()+int64(index), block); err != nil {
			return err
		}
	}
	return l.writeJournal(device)
}

func layOut(bytes int64, seed Seed) (*layout, error) {
	l := &layout{blocks: bytes / blockBytes, seed: seed}
	if l.blocks < minBlocks || l.blocks > maxBlocks {
		return nil, errors.New(strconv.FormatInt(bytes, 10) + " bytes cannot hold the filesystem")
	}
	// A last group that would hold next to nothing but its own tables is left out.
	if rest := l.blocks % blocksPerGroup; l.blocks > blocksPerGroup && rest < ownBlocks+64 {
		l.blocks -= rest
	}
	l.groups = (l.blocks + blocksPerGroup - 1) / blocksPerGroup
	l.descriptors = (l.groups*descriptorSize + blockBytes - 1) / blockBytes
	return l, nil
}

func write(device io.WriterAt, block int64, bytes []byte) error {
	_, err := device.WriteAt(bytes, block*blockBytes)
	return err
}

// firstOwn is the block bitmap of a group; its inode bitmap and its inode table follow.
func (l *layout) firstOwn(group int64) int64 {
	if group == 0 {
		return 1 + l.descriptors
	}
	return group * blocksPerGroup
}

// firstData is the block of the root directory; the other directory follows.
func (l *layout) firstData() int64 { return l.firstOwn(0) + ownBlocks }

func (l *layout) blocksIn(group int64) int64 {
	return min(blocksPerGroup, l.blocks-group*blocksPerGroup)
}

// isPart says whether the device ends within a group.
func (l *layout) isPart(group int64) bool { return l.blocksIn(group) < blocksPerGroup }

func (l *layout) freeIn(group int64) int64 {
	if group == 0 {
		return l.blocksIn(0) - l.firstData() - directories - l.journal
	}
	return l.blocksIn(group) - ownBlocks
}

func (l *layout) free() int64 {
	var free int64
	for group := range l.groups {
		free += l.freeIn(group)
	}
	return free
}

// table is the groups' descriptors, in whole blocks.
func (l *layout) table() []byte {
	table := make([]byte, l.descriptors*blockBytes)
	for group := range l.groups {
		d := table[group*descriptorSize:][:descriptorSize]
		own := l.firstOwn(group)
		free, unused, dirs, flags := inodesPerGroup, inodesPerGroup, 0, blockUninit|inodeUninit
		if l.isPart(group) {
			// Its bitmap must mark where the device ends.
			flags &^= blockUninit
		}
		if group == 0 {
			free, unused, dirs, flags = free-usedInodes, unused-usedInodes, directories, 0
			binary.LittleEndian.PutUint16(d[26:], uint16(l.sum(l.inodeBitmap()[:inodesPerGroup/8])))
		}
		if flags&blockUninit == 0 {
			binary.LittleEndian.PutUint16(d[24:], uint16(l.sum(l.blockBitmap(group))))
		}
		binary.LittleEndian.PutUint32(d[0:], uint32(own))
		binary.LittleEndian.PutUint32(d[4:], uint32(own+1))
		binary.LittleEndian.PutUint32(d[8:], uint32(own+2))
		binary.LittleEndian.PutUint16(d[12:], uint16(l.freeIn(group)))
		binary.LittleEndian.PutUint16(d[14:], uint16(free))
		binary.LittleEndian.PutUint16(d[16:], uint16(dirs))
		binary.LittleEndian.PutUint16(d[18:], uint16(flags))
		binary.LittleEndian.PutUint16(d[28:], uint16(unused))
		l.signDescriptor(uint32(group), d)
	}
	return table
}

// blockBitmap has the first blocks of a group taken, and those behind the device.
func (l *layout) blockBitmap(group int64) []byte {
	bitmap := make([]byte, blockBytes)
	setBits(bitmap, 0, l.blocksIn(group)-l.freeIn(group))
	setBits(bitmap, l.blocksIn(group), 8*blockBytes)
	return bitmap
}

func (l *layout) inodeBitmap() []byte {
	bitmap := make([]byte, blockBytes)
	setBits(bitmap, 0, usedInodes)
	setBits(bitmap, inodesPerGroup, 8*blockBytes)
	return bitmap
}

func setBits(bitmap []byte, from, to int64) {
	for bit := from; bit < to; bit++ {
		bitmap[bit/8] |= 1 << (bit % 8)
	}
}

// inodes is the first block of the first inode table.
func (l *layout) inodes() []byte {
	block := make([]byte, blockBytes)
	const isDirectory, isFile = 0o040000, 0o100000
	l.putInode(block, rootInode, isDirectory|0o755, 3, l.firstData(), 1)
	l.putInode(block, foundInode, isDirectory|0o700, 2, l.firstData()+1, 1)
	if l.journal > 0 {
		l.putInode(block, journalInode, isFile|0o600, 1, l.firstJournal(), l.journal)
	}
	return block
}

// putInode writes an inode with one run of blocks into the table. Its times are the epoch's.
func (l *layout) putInode(table []byte, number uint32, mode, links uint16, block, count int64) {
	const usesExtents = 0x80000
	inode := table[(number-1)*inodeBytes:]
	binary.LittleEndian.PutUint16(inode[0:], mode)
	binary.LittleEndian.PutUint32(inode[4:], uint32(count*blockBytes))
	binary.LittleEndian.PutUint16(inode[26:], links)
	binary.LittleEndian.PutUint32(inode[28:], uint32(count*blockBytes/512))
	binary.LittleEndian.PutUint32(inode[32:], usesExtents)
	extents := inode[40:]
	binary.LittleEndian.PutUint16(extents[0:], 0xf30a)
	binary.LittleEndian.PutUint16(extents[2:], 1)
	binary.LittleEndian.PutUint16(extents[4:], 4)
	binary.LittleEndian.PutUint16(extents[16:], uint16(count))
	binary.LittleEndian.PutUint32(extents[20:], uint32(block))
	binary.LittleEndian.PutUint16(inode[128:], extraBytes)
	l.signInode(number, inode)
}

type entry struct {
	inode uint32
	name  string
}

// directory is the block of a directory that holds directories, the first of them itself; the last
// entry takes the rest of the block, but for the checksum.
func (l *layout) directory(entries ...entry) []byte {
	const isDirectory = 2
	block := make([]byte, blockBytes)
	at := 0
	for index, e := range entries {
		length := (8 + len(e.name) + 3) &^ 3
		if index == len(entries)-1 {
			length = blockBytes - tailBytes - at
		}
		binary.LittleEndian.PutUint32(block[at:], e.inode)
		binary.LittleEndian.PutUint16(block[at+4:], uint16(length))
		block[at+6], block[at+7] = byte(len(e.name)), isDirectory
		copy(block[at+8:], e.name)
		at += length
	}
	l.signDirectory(entries[0].inode, block)
	return block
}
