/**
 * A disk as a power cut may leave it: everything that was flushed, and any part of the later
 * writes, in any order.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Random } from './random.ts';
import { type LogEntry, SECTOR } from './write-log.ts';

/** How many of the writes that were not flushed are kept, of one disk. */
const SHARES = [0, 0.1, 0.5, 0.9, 1];
/** What a write may be torn into: whole, blocks of the file system, sectors. */
const UNITS = [Number.POSITIVE_INFINITY, 4096, SECTOR];
/**
 * What is never torn. A disk that tears the two sectors of ext4's superblock leaves a file system
 * that no kernel mounts before `fsck` has run, whatever was on it: it has one checksum over both,
 * which the kernel asks before it replays the journal.
 */
const SUPERBLOCK = { to: 0, bytes: 4096 };

/**
 * Makes the disk, as it is after a cut at `position`, from how it was before the log began.
 *
 * @param paths.before the disk's content when the log began
 * @param paths.target where the disk is made
 * @returns what happened, for a message
 */
export function cutDisk(
  paths: { readonly before: string; readonly log: string; readonly target: string },
  entries: readonly LogEntry[],
  position: number,
  random: Random,
): string {
  const past = entries.filter(({ end }) => end <= position);
  const flushed = past.findLastIndex(({ flush }) => flush);
  const share = random.pick(SHARES);
  const unit = random.pick(UNITS);
  execFileSync('cp', ['--sparse=always', paths.before, paths.target]);
  const log = openSync(paths.log, 'r');
  const disk = openSync(paths.target, 'r+');
  let kept = 0;
  let dropped = 0;
  try {
    for (const [index, { write }] of past.entries()) {
      if (write === undefined) continue;
      const safe = index <= flushed;
      for (const { start, length } of partsOf(write, safe ? Number.POSITIVE_INFINITY : unit)) {
        const keep = safe || random.next() < share;
        if (keep) copy(log, write.from + start, disk, write.to + start, length);
        if (safe) continue;
        if (keep) kept += 1;
        else dropped += 1;
      }
    }
  } finally {
    closeSync(disk);
    closeSync(log);
  }
  return `cut at ${position}: of what was not flushed ${kept} parts kept, ${dropped} lost`;
}

/** What a write of so many bytes to this place of the disk is torn into. */
export function partsOf(
  { to, bytes }: { readonly to: number; readonly bytes: number },
  unit: number,
): readonly { readonly start: number; readonly length: number }[] {
  const parts: { start: number; length: number }[] = [];
  const whole = SUPERBLOCK.to + SUPERBLOCK.bytes;
  for (let start = 0; start < bytes; ) {
    const step = to + start < whole ? Math.max(unit, whole - to - start) : unit;
    const length = Math.min(step, bytes - start);
    parts.push({ start, length });
    start += length;
  }
  return parts;
}

function copy(from: number, at: number, to: number, target: number, length: number): void {
  const bytes = Buffer.allocUnsafe(length);
  readSync(from, bytes, 0, length, at);
  writeSync(to, bytes, 0, length, target);
}
