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
      const step = Math.min(safe ? write.bytes : unit, write.bytes);
      for (let done = 0; done < write.bytes; done += step) {
        const length = Math.min(step, write.bytes - done);
        const keep = safe || random.next() < share;
        if (keep) copy(log, write.from + done, disk, write.to + done, length);
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

function copy(from: number, at: number, to: number, target: number, length: number): void {
  const bytes = Buffer.allocUnsafe(length);
  readSync(from, bytes, 0, length, at);
  writeSync(to, bytes, 0, length, target);
}
