package ext4

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// everything is what a checksum begins with: all bits set.
const everything = ^uint32(0)

// crc32c goes on from an earlier sum. Unlike hash/crc32 the kernel does not invert what comes out.
func crc32c(sum uint32, data []byte) uint32 { return ^crc32.Update(^sum, castagnoli, data) }

// sum is what all checksums begin with but that of the superblock: the filesystem's UUID.
func (l *layout) sum(data []byte) uint32 {
	return crc32c(crc32c(everything, l.seed.UUID[:]), data)
}

// inodeSum is what the checksums of an inode and of its directory blocks begin with: its number and
// its generation, which is zero.
func (l *layout) inodeSum(inode uint32) uint32 {
	return l.sum(binary.LittleEndian.AppendUint64(nil, uint64(inode)))
}

func (l *layout) signSuperblock(s []byte) {
	binary.LittleEndian.PutUint32(s[0x3fc:], crc32c(everything, s[:0x3fc]))
}

// signDescriptor signs one that has no checksum yet; a descriptor keeps half of its sum.
func (l *layout) signDescriptor(group uint32, d []byte) {
	signed := append(binary.LittleEndian.AppendUint32(nil, group), d...)
	binary.LittleEndian.PutUint16(d[30:], uint16(l.sum(signed)))
}

// signInode signs one whose two halves of a checksum are zero.
func (l *layout) signInode(number uint32, inode []byte) {
	sum := crc32c(l.inodeSum(number), inode[:inodeBytes])
	binary.LittleEndian.PutUint16(inode[124:], uint16(sum))
	binary.LittleEndian.PutUint16(inode[130:], uint16(sum>>16))
}

// tailBytes end the block of a directory: an entry without an inode, which has the checksum.
const tailBytes = 12

func (l *layout) signDirectory(inode uint32, block []byte) {
	const isTail = 0xde
	tail := block[blockBytes-tailBytes:]
	binary.LittleEndian.PutUint16(tail[4:], tailBytes)
	tail[7] = isTail
	sum := crc32c(l.inodeSum(inode), block[:blockBytes-tailBytes])
	binary.LittleEndian.PutUint32(tail[8:], sum)
}
