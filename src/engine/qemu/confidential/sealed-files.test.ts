import { fstatSync, readFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pathOf } from '../../memory-file.ts';
import {
  closeSealed,
  contentOf,
  type SealedFile,
  sealBytes,
  sealFile,
  sha256Of,
} from './sealed-file.ts';
import { SealedFiles } from './sealed-files.ts';

const LIMIT = 2 ** 24;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sealed-'));
  path = join(directory, 'file');
});
afterEach(() => rm(directory, { recursive: true }));

const inode = ({ fd }: SealedFile) => fstatSync(fd).ino;

it('keeps the content of a sealed file when the original changes', async () => {
  const bytes = Buffer.alloc(3 * 2 ** 20 + 7, 'abc');
  await writeFile(path, bytes);
  const sealed = await sealFile(path, LIMIT);
  await writeFile(path, 'another');
  expect(sealed.bytes).toBe(bytes.length);
  expect(Buffer.from(await contentOf(sealed)).equals(bytes)).toBe(true);
  expect(Buffer.from(await sha256Of(sealed))).toEqual(
    Buffer.from(await sha256Of(await sealBytes(bytes))),
  );
  await closeSealed(sealed);
});

it('refuses writes to a sealed file through any descriptor', async () => {
  const sealed = await sealBytes(Buffer.from('measured'));
  expect(() => writeSync(sealed.fd, 'x')).toThrow();
  await expect(writeFile(pathOf(sealed.fd), 'x', { flag: 'r+' })).rejects.toThrow();
  expect(readFileSync(pathOf(sealed.fd), 'utf8')).toBe('measured');
  await closeSealed(sealed);
});

it('refuses to seal a file that is too large, missing, or a link', async () => {
  await writeFile(path, Buffer.alloc(LIMIT + 1));
  const unusable = { code: 'state-unusable' };
  await expect(sealFile(path, LIMIT)).rejects.toMatchObject(unusable);
  await expect(sealFile(join(directory, 'none'), LIMIT)).rejects.toMatchObject(unusable);
  await symlink(path, join(directory, 'link'));
  await expect(sealFile(join(directory, 'link'), LIMIT)).rejects.toMatchObject(unusable);
});

it('shares one copy of equal files, whatever their names', async () => {
  const files = new SealedFiles();
  await writeFile(path, 'kernel');
  const first = await files.seal(path, LIMIT);
  await writeFile(`${path}.other`, 'kernel');
  const second = await files.seal(`${path}.other`, LIMIT);
  expect(second.fd).not.toBe(first.fd);
  expect(inode(second)).toBe(inode(first));
  await closeSealed(first);
  await closeSealed(second);
  // Nothing else holds the sealed file: the cache keeps it for the next microVM.
  const third = await files.seal(path, LIMIT);
  expect(Buffer.from(await contentOf(third)).toString()).toBe('kernel');
  await closeSealed(third);
});

it('seals the current content of a file, not that of an earlier time', async () => {
  const files = new SealedFiles();
  await writeFile(path, 'kernel');
  const before = await files.seal(path, LIMIT);
  await writeFile(path, 'kernek');
  const after = await files.seal(path, LIMIT);
  expect(inode(after)).not.toBe(inode(before));
  expect(Buffer.from(await contentOf(after)).toString()).toBe('kernek');
  await Promise.all([before, after].map(closeSealed));
});

it('evicts the least recently used sealed files, but none in use', async () => {
  const files = new SealedFiles();
  await writeFile(path, 'first');
  const first = await files.seal(path, LIMIT);
  for (let n = 0; n < 6; n++) {
    await writeFile(path, `other ${n}`);
    await closeSealed(await files.seal(path, LIMIT));
  }
  await writeFile(path, 'first');
  const again = await files.seal(path, LIMIT);
  expect(inode(again)).not.toBe(inode(first));
  expect(Buffer.from(await contentOf(first)).toString()).toBe('first');
  await Promise.all([first, again].map(closeSealed));
});
