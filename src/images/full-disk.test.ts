import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

/** The reserve that stays free, plus space for the blobs of the image but not for all its disks. */
const DISK_MIB = 128 + 9;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-full-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What a program of `testing` prints whose root directory is on a small disk. */
async function onSmallDisk(program: string): Promise<unknown> {
  const path = fileURLToPath(new URL(`testing/${program}`, import.meta.url));
  const script = `mount -t tmpfs -o size=${DISK_MIB}m none "$1" && exec "$2" --conditions=a3s-source --import tsx "$3" "$1"`;
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--map-root-user', '--mount', 'sh', '-c', script, 'sh', root, process.execPath, path],
    { timeout: 50_000 },
  );
  return JSON.parse(stdout);
}

it('leaves no file of a pull that fills the disk, and stores an image that fits', {
  timeout: 60_000,
}, async () => {
  expect(await onSmallDisk('full-pull.ts')).toEqual({
    failure: 'disk-full',
    left: [],
    tags: ['small:1'],
    downloaded: true,
  });
});

it('leaves no file of a commit that fills the disk, and makes an image that fits', {
  timeout: 60_000,
}, async () => {
  expect(await onSmallDisk('full-extend.ts')).toEqual({
    ...{ failure: 'disk-full', left: [], missing: [] },
    tags: ['fits:1'],
  });
});
