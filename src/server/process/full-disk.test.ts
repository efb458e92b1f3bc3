import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build as bundle } from 'esbuild';
import { afterEach, beforeEach, expect, it } from 'vitest';

let root: string;
let programs: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'a3s-full-'));
  // Below the sources, so that modules which are not bundled resolve.
  const build = fileURLToPath(new URL('../../../build/', import.meta.url));
  mkdirSync(build, { recursive: true });
  programs = mkdtempSync(join(build, 'full-'));
  await bundle({
    entryPoints: [fileURLToPath(new URL('../testing/full-disk.ts', import.meta.url))],
    ...{ outdir: programs, outExtension: { '.js': '.mjs' }, bundle: true, packages: 'external' },
    ...{ platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' },
  });
});
afterEach(() => {
  for (const path of [root, programs]) rmSync(path, { recursive: true, force: true });
});

/**
 * A file system of its own, and then an ordinary user: the files of a box could not be given to
 * other users there.
 */
const ON_SMALL_DISK =
  'mount -t tmpfs -o size=8m none "$1" && exec unshare --user --map-user=1000 --map-group=1000 "$2" "$3" "$1"';

it('leaves nothing of a box whose volume could not be filled on a full disk', {
  timeout: 120_000,
}, async () => {
  const { stdout } = await promisify(execFile)(
    'unshare',
    [
      ...['--map-root-user', '--mount', 'sh', '-c', ON_SMALL_DISK, 'sh'],
      ...[root, process.execPath, join(programs, 'full-disk.mjs')],
    ],
    { timeout: 100_000 },
  );
  expect(JSON.parse(stdout)).toEqual({
    status: 500,
    body: expect.objectContaining({ code: 'disk-full', message: 'copy "big": write: no space' }),
    // The anonymous volume went with its box, and so did the box.
    left: ['named', 'named/_data'],
    boxes: 0,
  });
});
