import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from './digest.ts';
import { firmware } from './firmware.ts';
import { pinFirmwareSource } from './firmware-source.ts';

let root: string;
let cache: string;
let platform: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'firmware-'));
  cache = join(root, 'cache');
  platform = join(root, 'platform');
  await mkdir(cache);
  await mkdir(platform);
  const [original, debian] = [Buffer.from('original'), Buffer.from('debian')];
  const tarball = (name: string, bytes: Buffer) => ({
    name,
    sha256: sha256(bytes),
    size: bytes.length,
  });
  const source = {
    ...{ package: 'edk2' as const, version: '1-1' },
    original: tarball('edk2_1.orig.tar.xz', original),
    debian: tarball('edk2_1-1.debian.tar.xz', debian),
  };
  await writeFile(join(cache, source.original.name), original);
  await writeFile(join(cache, source.debian.name), debian);
  await pinFirmwareSource(cache, source);
});
afterEach(() => rm(root, { recursive: true }));

/**
 * Runs a build with a fake script, which copies its inputs by default, and returns the printed
 * steps.
 */
async function build(body = 'cat "$3" "$4" >"$1/OVMF.fd"; echo built >>"$2"'): Promise<string[]> {
  await writeFile(join(platform, 'build.sh'), `${body}\n`);
  const steps: string[] = [];
  const step = (line: string) => steps.push(line);
  const { image } = await firmware({ cache, platform, update: false, step });
  expect(image.toString()).toBe('originaldebian');
  return steps;
}

test('firmware is compiled once for its sources, tools and platform', async () => {
  expect(await build()).toHaveLength(2);
  expect(await build()).toEqual([]);
  expect(await readFile(join(cache, 'firmware.log'), 'utf8')).toBe('built\n');
  // A changed script compiles the firmware again, since it may write other bytes.
  expect(await build('cat "$3" "$4" >"$1/OVMF.fd"')).toHaveLength(2);
  // A changed list of modules compiles it again as well.
  await writeFile(join(platform, 'modules.txt'), 'another\n');
  expect(await build('cat "$3" "$4" >"$1/OVMF.fd"')).toHaveLength(2);
  const [work] = (await readdir(cache)).filter((name) => name.startsWith('firmware-work-'));
  expect(work).toBeUndefined();
});

test('compiles firmware again when its image was truncated', async () => {
  await build();
  const [image = ''] = (await readdir(cache)).filter((name) => name.endsWith('.fd'));
  await writeFile(join(cache, image), 'orig');
  expect(await build()).toHaveLength(2);
});

test('reports why a firmware build failed, and leaves no image', async () => {
  await expect(build('echo no compiler >&2; exit 3')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('no compiler'),
    remedy: expect.stringContaining('firmware.log'),
  });
  await expect(build('true')).rejects.toThrow('it wrote no image');
  const left = (await readdir(cache)).filter((name) => /\.fd$|work/.test(name));
  expect(left).toEqual([]);
});

test('ends every process of a firmware build with the build', async () => {
  // The build is PID 1 of its own PID namespace, so every process that it starts ends with it.
  await build('[ $$ = 1 ] || exit 9; sleep 60 & cat "$3" "$4" >"$1/OVMF.fd"');
});
