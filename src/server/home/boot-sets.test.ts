import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importBootDirectory } from '../../boot/sets.ts';
import {
  syntheticSet,
  writeSyntheticArm64Set,
  writeSyntheticSet,
} from '../../boot/testing/synthetic-set.ts';
import { PinnedBootSets } from './boot-sets.ts';

let root: string;
let home: string;
let bootSets: PinnedBootSets;
const installed = syntheticSet();
const other = syntheticSet({ initrd: Buffer.from('another') });
const third = syntheticSet({ initrd: Buffer.from('a third') });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'boot-sets-'));
  home = join(root, 'home');
  await mkdir(home);
  await writeSyntheticSet(join(root, 'boot'), installed);
  await writeSyntheticSet(join(root, 'other'), other);
  await writeSyntheticSet(join(root, 'third'), third);
  bootSets = new PinnedBootSets({ home, bootDir: join(root, 'boot') });
});
afterEach(() => rm(root, { recursive: true }));

test('a box pins the installed boot set, or the one that its request names', async () => {
  const { id } = installed.document;
  expect(await bootSets.current()).toBe(id);
  expect(await bootSets.current(id.slice(0, 12))).toBe(id);
  expect(await bootSets.current(join(root, 'other'))).toBe(other.document.id);
  expect(await bootSets.current(other.document.id)).toBe(other.document.id);
  expect((await bootSets.open(other.document.id)).confidential?.initrdPath).toBe(
    join(home, 'boot', other.document.id, 'initrd-confidential'),
  );
});

test.each([
  ['f'.repeat(64), 'no-such-boot-set'],
  ['other', 'no-such-boot-set'],
  ['', 'no-such-boot-set'],
  ['/nonexistent', 'boot-set-missing'],
])('a missing boot set is reported: %s', async (asked, code) => {
  await expect(bootSets.current(asked)).rejects.toMatchObject({ code });
});

test('a directory whose files do not match its boot.json is not a boot set', async () => {
  const directory = join(root, 'other');
  await writeFile(join(directory, 'OVMF.fd'), 'the file OVMF.FD');
  await expect(bootSets.current(directory)).rejects.toMatchObject({ code: 'boot-set-missing' });
  expect(await readdir(join(home, 'boot'))).toEqual([]);
});

test('a box of arm64 pins the boot set beside the installed one, and says how to make it', async () => {
  await expect(bootSets.current(undefined, 'arm64')).rejects.toMatchObject({
    code: 'boot-set-missing',
    message: expect.stringMatching(
      /boot-arm64 has no usable boot set: .*boot-arm64\/boot\.json cannot be read/,
    ),
    cause: expect.objectContaining({ code: 'boot-set-missing' }),
    remedy: 'Make it, in the checkout: bash scripts/setup.sh --arm64',
  });
  const id = await writeSyntheticArm64Set(join(root, 'boot-arm64'));
  expect(await bootSets.current(undefined, 'arm64')).toBe(id);
  expect(await bootSets.open(id)).toMatchObject({
    architecture: 'arm64',
    kernelPath: join(home, 'boot', id, 'Image'),
  });
  expect(await bootSets.current()).toBe(installed.document.id);
});

test('a set of another architecture is no boot set of arm64', async () => {
  await writeSyntheticSet(join(root, 'boot-arm64'), other);
  await expect(bootSets.current(undefined, 'arm64')).rejects.toMatchObject({
    code: 'boot-set-missing',
    message: expect.stringContaining('boot-arm64 has no usable boot set: it is of amd64'),
  });
});

test('boot sets that are neither pinned nor imported are swept, except new ones', async () => {
  await bootSets.current();
  await bootSets.current(join(root, 'other'));
  await bootSets.current(join(root, 'third'));
  await importBootDirectory(home, join(root, 'third'));
  const places = join(home, 'boot');
  await mkdir(join(places, '.install-new'));
  await mkdir(join(places, '.install-old'));
  await utimes(join(places, '.install-old'), 0, 0);
  // Left by a server that lost power: a home has one server at a time.
  await mkdir(join(places, '.install-server-0123456789ab-x'));
  // Left by a process that ended before the host's last boot.
  await mkdir(join(places, '.install-before'));
  const before = Date.now() / 1000 - uptime() - 60;
  await utimes(join(places, '.install-before'), before, before);
  await mkdir(join(places, 'f'.repeat(64)));
  const stay = [installed.document.id, third.document.id, '.install-new'];
  await bootSets.sweep(new Set([other.document.id]));
  expect(await readdir(places)).toEqual([...stay, other.document.id].sort());
  await bootSets.sweep(new Set());
  expect(await readdir(places)).toEqual([...stay].sort());
});
