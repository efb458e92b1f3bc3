/**
 * What was written to a disk, and when it was flushed: the log of QEMU's `blklogwrites`, which has
 * the format of the kernel's `dm-log-writes`.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export const SECTOR = 512;
const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const DISCARD = 4n;
const ENTRY_BYTES = 32;

export interface LogEntry {
  /** Where the entry ends in the log: a position in the order of events. */
  readonly end: number;
  /** What was written, by its place in the log and on the disk; undefined for a flush alone. */
  readonly write:
    | { readonly from: number; readonly to: number; readonly bytes: number }
    | undefined;
  /** Whatever was written before it is on the disk. */
  readonly flush: boolean;
}

/** How far the log is by now. */
export function positionIn(path: string): number {
  const file = openSync(path, 'r');
  try {
    return fstatSync(file).size;
  } finally {
    closeSync(file);
  }
}

/** All entries that are whole, oldest first. The writer may have been killed. */
export function readWriteLog(path: string): readonly LogEntry[] {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(SECTOR);
    readSync(file, head, 0, SECTOR, 0);
    if (head.readBigUInt64LE(0) !== MAGIC) throw new Error(`${path} is no log of writes`);
    if (head.readUInt32LE(24) !== SECTOR) throw new Error(`${path} has other sectors`);
    const entries: LogEntry[] = [];
    for (let at = SECTOR; at + SECTOR <= size; ) {
      const entry = readEntry(file, at);
      if (entry === undefined || entry.end > size) break;
      entries.push(entry);
      at = entry.end;
    }
    return entries;
  } finally {
    closeSync(file);
  }
}

/** Undefined where none was written yet. */
function readEntry(file: number, at: number): LogEntry | undefined {
  const header = Buffer.alloc(ENTRY_BYTES);
  readSync(file, header, 0, ENTRY_BYTES, at);
  const flags = header.readBigUInt64LE(16);
  const sectors = Number(header.readBigUInt64LE(8));
  const flush = (flags & FLUSH) !== 0n;
  if (flags === 0n && sectors === 0) return undefined;
  const discards = (flags & DISCARD) !== 0n;
  const bytes = discards ? 0 : sectors * SECTOR;
  const to = Number(header.readBigUInt64LE(0)) * SECTOR;
  const from = at + SECTOR;
  return {
    end: from + bytes,
    write: bytes === 0 ? undefined : { from, to, bytes },
    flush,
  };
}
