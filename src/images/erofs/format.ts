/**
 * The on-disk structures of EROFS that a plain, uncompressed image needs (Linux,
 * fs/erofs/erofs_fs.h).
 *
 * @module
 */

/** Goes up with every change that gives other bytes for the same layer. */
export const EROFS_WRITER = 'a3s-box erofs writer 1';

export const BLOCK_SIZE = 4096;
const BLOCK_BITS = 12;
export const INODE_SIZE = 64;
/** Inodes are numbered by the slots of this size that they start in. */
export const SLOT_SIZE = 32;
export const SUPERBLOCK_OFFSET = 1024;
/** Where the first inode can be. */
export const METADATA_START = SUPERBLOCK_OFFSET + 128;

const MAGIC = 0xe0f5_e1e2;
const COMPAT_CHECKSUM = 1;
/** Times of inodes are modification times. */
const COMPAT_MTIME = 2;

/** An inode's data lies in whole blocks, or its last part follows the inode. */
export const FLAT_PLAIN = 0;
export const FLAT_INLINE = 2;
const EXTENDED = 1;

export const FILE_TYPE = {
  file: { mode: 0o100000, entry: 1 },
  directory: { mode: 0o040000, entry: 2 },
  character: { mode: 0o020000, entry: 3 },
  block: { mode: 0o060000, entry: 4 },
  fifo: { mode: 0o010000, entry: 5 },
  symlink: { mode: 0o120000, entry: 7 },
} as const;

export interface InodeFields {
  readonly layout: typeof FLAT_PLAIN | typeof FLAT_INLINE;
  readonly xattrBytes: number;
  /** With the file type. */
  readonly mode: number;
  readonly size: number;
  /** First data block, or a device's number. */
  readonly address: number;
  readonly serial: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly links: number;
}

/** Writes an extended inode. */
export function writeInode(image: Buffer, offset: number, inode: InodeFields): void {
  image.writeUInt16LE(EXTENDED | (inode.layout << 1), offset);
  image.writeUInt16LE(xattrCount(inode.xattrBytes), offset + 2);
  image.writeUInt16LE(inode.mode, offset + 4);
  image.writeBigUInt64LE(BigInt(inode.size), offset + 8);
  image.writeUInt32LE(inode.address, offset + 16);
  image.writeUInt32LE(inode.serial, offset + 20);
  image.writeUInt32LE(inode.uid, offset + 24);
  image.writeUInt32LE(inode.gid, offset + 28);
  image.writeBigInt64LE(BigInt(inode.seconds), offset + 32);
  image.writeUInt32LE(inode.nanoseconds, offset + 40);
  image.writeUInt32LE(inode.links, offset + 44);
}

/** `i_xattr_icount`: a header of 12 bytes counts as one, every further four bytes as one more. */
function xattrCount(bytes: number): number {
  return bytes === 0 ? 0 : (bytes - 12) / 4 + 1;
}

/** A device number as the kernel's `new_encode_dev` packs it. */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export interface SuperblockFields {
  readonly rootNid: number;
  readonly inodes: number;
  readonly blocks: number;
  readonly uuid: Buffer;
}

/** Writes the superblock and its checksum; the rest of the first block must be final. */
export function writeSuperblock(image: Buffer, fields: SuperblockFields): void {
  const at = SUPERBLOCK_OFFSET;
  image.writeUInt32LE(MAGIC, at);
  image.writeUInt32LE(COMPAT_CHECKSUM | COMPAT_MTIME, at + 8);
  image.writeUInt8(BLOCK_BITS, at + 12);
  image.writeUInt16LE(fields.rootNid, at + 14);
  image.writeBigUInt64LE(BigInt(fields.inodes), at + 16);
  image.writeUInt32LE(fields.blocks, at + 36);
  fields.uuid.copy(image, at + 48, 0, 16);
  image.writeUInt32LE(0, at + 4);
  image.writeUInt32LE(crc32c(image.subarray(at, BLOCK_SIZE)), at + 4);
}

/**
 * How many blocks an image has by its superblock; undefined where its first block holds none of
 * ours.
 */
export function imageBlocks(head: Buffer): number | undefined {
  const at = SUPERBLOCK_OFFSET;
  if (head.length < BLOCK_SIZE || head.readUInt32LE(at) !== MAGIC) return undefined;
  if (head.readUInt8(at + 12) !== BLOCK_BITS) return undefined;
  return head.readUInt32LE(at + 36);
}

/** CRC-32C's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : POLYNOMIAL);
  return crc;
});

/** CRC-32C from all ones and not inverted at the end, as EROFS takes it. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return crc >>> 0;
}
