/**
 * The blocks of an empty writable layer that the file system takes for itself: superblocks,
 * descriptors, bitmaps, tables of inodes, the journal, and the first directories. None of them
 * holds a box's own bytes.
 *
 * @module
 */
import type { Stats } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Extent } from '../engine/data-extents.ts';
import { A3sError } from '../errors.ts';
import { BLANK_DISK_BYTES, makeBlankDisk } from './blank-disk.ts';

const SUPERBLOCK = { at: 1024, bytes: 1024, magic: 0xef53 };
const BLOCK = 4096;
/** A flag of a group: its bitmap was never written, and nothing of it is in use. */
const BLOCK_UNINIT = 2;

/** stat(2) counts blocks of this size, whatever the file system's block size. */
const STAT_BLOCK = 512;

export interface BlankLayout {
  /** In rising order. */
  readonly inUse: readonly Extent[];
  /** Bytes that the disk has allocated on the host. */
  readonly allocated: number;
}

/** The most sizes whose layouts are kept: a user may choose any number of them. */
const KEPT = 16;
const layouts = new Map<number, Promise<BlankLayout>>();

/**
 * The layout of the disks of that size that this installation makes: one is made, once, and
 * inspected.
 */
export function blankLayout(bytes = BLANK_DISK_BYTES): Promise<BlankLayout> {
  const known = layouts.get(bytes);
  if (known !== undefined) return known;
  const layout = measure(bytes).catch((error: unknown) => {
    layouts.delete(bytes);
    throw error;
  });
  const [oldest] = layouts.keys();
  if (layouts.size >= KEPT && oldest !== undefined) layouts.delete(oldest);
  layouts.set(bytes, layout);
  return layout;
}

async function measure(bytes: number): Promise<BlankLayout> {
  const directory = await mkdtemp(join(tmpdir(), 'a3s-box-layout-'));
  try {
    const path = join(directory, 'disk');
    await makeBlankDisk(path, bytes);
    return { inUse: await extentsInUse(path), allocated: allocatedBytes(await stat(path)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Bytes that a file has allocated on the host. */
export function allocatedBytes({ blocks }: Pick<Stats, 'blocks'>): number {
  return blocks * STAT_BLOCK;
}

/** The layout of a disk that was just made: no guest has written to it. */
async function extentsInUse(path: string): Promise<readonly Extent[]> {
  const file = await open(path, 'r');
  try {
    const superblock = await read(file, SUPERBLOCK.at, SUPERBLOCK.bytes);
    if (superblock.readUInt16LE(56) !== SUPERBLOCK.magic || superblock.readUInt32LE(24) !== 2) {
      throw new A3sError('internal', 'mkfs.ext4 made a disk that is no ext4 of 4096-byte blocks');
    }
    const perGroup = superblock.readUInt32LE(32);
    const groups = Math.ceil(superblock.readUInt32LE(4) / perGroup);
    const descriptor = superblock.readUInt16LE(254);
    const table = await read(file, BLOCK, groups * descriptor);
    const used: Extent[] = [];
    for (let group = 0; group < groups; group++) {
      const at = group * descriptor;
      if ((table.readUInt16LE(at + 18) & BLOCK_UNINIT) !== 0) continue;
      const bitmap = await read(file, table.readUInt32LE(at) * BLOCK, perGroup / 8);
      addRuns(used, bitmap, group * perGroup);
    }
    return used;
  } finally {
    await file.close();
  }
}

/**
 * Adds the ranges that the bits of a group mark as used. A range that touches the last one extends
 * it.
 */
function addRuns(used: Extent[], bitmap: Buffer, first: number): void {
  for (let bit = 0; bit < bitmap.length * 8; bit++) {
    if (((bitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) === 0) continue;
    const start = (first + bit) * BLOCK;
    const last = used.at(-1);
    if (last?.end === start) used[used.length - 1] = { start: last.start, end: start + BLOCK };
    else used.push({ start, end: start + BLOCK });
  }
}

async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  if (bytesRead === bytes) return buffer;
  throw new A3sError('internal', `mkfs.ext4 made a disk that ends within its tables, at ${at}`);
}
