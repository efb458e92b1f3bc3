/**
 * An empty writable layer: sparse ext4.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { A3sError } from '../errors.ts';
import { findTool } from '../jail/tools.ts';

const run = promisify(execFile);

/** The size that `df` shows inside. Only written blocks take space on the host. */
const SIZE = '10G';
export const BLANK_DISK_BYTES = 10 * 2 ** 30;
/**
 * Sizes that a box may ask for. A smaller disk has hardly room for its own tables; the file of a
 * larger one is more than the host's filesystem takes.
 */
export const MIN_DISK_BYTES = 32 * 2 ** 20;
export const MAX_DISK_BYTES = 8 * 2 ** 40;
const KIB = 1024;
const DEADLINE_MS = 60_000;

/** A fixed value, since each VM has one such disk: equal inputs give equal bytes. */
const FILESYSTEM_ID = 'a3500000-0000-4000-8000-000000000001';
const EXTENDED = [
  'hash_seed=a3500000-0000-4000-8000-000000000002',
  'root_owner=0:0',
  'nodiscard',
  // The file is new, so all of it reads as zeros. Neither this tool nor the guest needs to write
  // its tables.
  'lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1',
];
const OPTIONS = [
  // The table of orphans costs the guest 60 ms at every mount under emulation. Without it ext4 uses
  // a list, as it did before. Room to grow is left out too: no box's disk grows, and it is 4 of the
  // 4.4 MiB that would be written for each box.
  ...['-O', '^orphan_file,^resize_inode'],
  ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-I', '256', '-m', '0'],
  ...['-U', FILESYSTEM_ID, '-E', EXTENDED.join(',')],
];

/** All inputs that decide the content of the disk, as one text. */
export const BLANK_DISK = [...OPTIONS, SIZE].join(' ');

/**
 * Makes a new one at `path`, of the usual size or of another one. It reads nothing of a guest, so
 * no jail is needed. It takes about 15 ms.
 *
 * @throws A3sError `disk-full`, `tool-missing`
 */
export async function makeBlankDisk(path: string, bytes = BLANK_DISK_BYTES): Promise<void> {
  const program = await findTool('mkfs.ext4');
  try {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', SOURCE_DATE_EPOCH: '1' };
    const size = bytes === BLANK_DISK_BYTES ? SIZE : `${Math.floor(bytes / KIB)}k`;
    await run(program, [...OPTIONS, path, size], { env, timeout: DEADLINE_MS });
  } catch (cause) {
    const stderr = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    const full = /no space left/i.test(stderr);
    throw new A3sError(
      full ? 'disk-full' : 'internal',
      `Cannot make the box's disk: ${stderr === '' ? 'mkfs.ext4 failed' : stderr}`,
      { cause, remedy: full ? 'Free some space and try again.' : undefined },
    );
  }
}
