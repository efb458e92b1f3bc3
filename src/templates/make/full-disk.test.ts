import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../testing/full-make.ts', import.meta.url));
/** Room for the RAM of the first fake template, and not for that of a second one. */
const DISK_KIB = 3 * 1024;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-full-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

// Only root can mount a disk on which files may be given to other users.
it.runIf(process.geteuid?.() === 0)(
  'leaves no files of a template that fills the disk, and boxes boot without it',
  {
    timeout: 60_000,
  },
  async () => {
    const script = `mount -t tmpfs -o mode=700,size=${DISK_KIB}k none "$1" && exec "$2" --conditions=a3s-source --import tsx "$3" "$1"`;
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', root, process.execPath, PROGRAM],
      { timeout: 50_000 },
    );
    expect(JSON.parse(stdout)).toEqual({
      failure: 'disk-full',
      left: [],
      taken: false,
      events: ['fail', 'miss'],
    });
  },
);
