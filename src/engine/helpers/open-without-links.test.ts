import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openWithoutLinks } from './open-without-links.ts';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'unlinked-')));
  await mkdir(join(root, 'real/below'), { recursive: true });
  await writeFile(join(root, 'real/file'), '');
  await symlink('real', join(root, 'link'));
  await symlink('file', join(root, 'real/last'));
});
afterEach(() => rm(root, { recursive: true }));

it.each(['real', 'real/below', 'real/file'])('opens %s by its descriptor', async (name) => {
  await using held = await openWithoutLinks(join(root, name));
  expect(await realpath(`/proc/self/fd/${held.fd}`)).toBe(join(root, name));
});

it.each([
  ['link', 'ELOOP'],
  ['real/last', 'ELOOP'],
  ['link/below', 'ENOTDIR'],
  ['real/none', 'ENOENT'],
])('refuses %s with %s', async (name, code) => {
  await expect(openWithoutLinks(join(root, name))).rejects.toMatchObject({ code });
});
