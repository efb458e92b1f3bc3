import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { testDirectory } from '../testing/directory.ts';
import { refusal } from '../testing/refusal.ts';
import { listDirectory, readFileBounded, writeFileDurably } from './files.ts';

const BYTES = Uint8Array.of(1, 2, 3);

let directory: string;

beforeEach(() => {
  directory = testDirectory();
});

describe('writeFileDurably', () => {
  it('creates a file and its directories so that only the owner can read them', async () => {
    const path = join(directory, 'a', 'b', 'file');
    await writeFileDurably(path, BYTES);
    expect(await readFileBounded(path, 3)).toEqual(BYTES);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    for (const made of ['a', 'a/b']) {
      expect((await stat(join(directory, made))).mode & 0o777).toBe(0o700);
    }
    expect(await readdir(join(directory, 'a', 'b'))).toEqual(['file']);
  });

  it('replaces an existing file', async () => {
    const path = join(directory, 'file');
    await writeFileDurably(path, Uint8Array.of(9));
    await writeFileDurably(path, BYTES);
    expect(await readFileBounded(path, 3)).toEqual(BYTES);
  });

  it('leaves the whole content of one writer when many write a file at once', async () => {
    const path = join(directory, 'new', 'file');
    const contents = Array.from({ length: 20 }, (_, index) => new Uint8Array(1000).fill(index));
    await Promise.all(contents.map((bytes) => writeFileDurably(path, bytes)));
    expect(contents).toContainEqual(await readFileBounded(path, 1000));
    expect(await readdir(join(directory, 'new'))).toEqual(['file']);
  });

  it('leaves no temporary file behind when a write fails', async () => {
    await mkdir(join(directory, 'taken', 'child'), { recursive: true });
    const error = await refusal(() => writeFileDurably(join(directory, 'taken'), BYTES));
    expect(error.code).toBe('store-unusable');
    expect(error.message).toContain(join(directory, 'taken'));
    expect(await readdir(directory)).toEqual(['taken']);
  });

  it('reports that a directory cannot be created', async () => {
    await writeFile(join(directory, 'file'), BYTES);
    const error = await refusal(() => writeFileDurably(join(directory, 'file', 'a', 'b'), BYTES));
    expect(error.code).toBe('store-unusable');
    expect(error.cause).toMatchObject({ code: 'ENOTDIR' });
  });
});

describe('readFileBounded', () => {
  it('returns undefined for a missing file', async () => {
    expect(await readFileBounded(join(directory, 'a', 'b'), 3)).toBeUndefined();
  });

  it('refuses to read a file that is too long', async () => {
    await writeFile(join(directory, 'file'), BYTES);
    const error = await refusal(() => readFileBounded(join(directory, 'file'), 2));
    expect(error.code).toBe('store-malformed');
    expect(error.found).toBe('3 bytes');
  });

  it('refuses to read a directory as a file', async () => {
    const error = await refusal(() => readFileBounded(directory, 2));
    expect(error.code).toBe('store-malformed');
    expect(error.found).toBe('something else');
  });

  it('reports the error of the file system when a file cannot be read', async () => {
    await symlink('loop', join(directory, 'loop'));
    const error = await refusal(() => readFileBounded(join(directory, 'loop'), 2));
    expect(error.code).toBe('store-unusable');
    expect(error.cause).toMatchObject({ code: 'ELOOP' });
  });
});

describe('listDirectory', () => {
  it('lists the names of a directory in order', async () => {
    for (const name of ['b', 'a', 'c']) await writeFile(join(directory, name), BYTES);
    expect(await listDirectory(directory)).toEqual(['a', 'b', 'c']);
  });

  it('lists no names of a missing directory', async () => {
    expect(await listDirectory(join(directory, 'none'))).toEqual([]);
  });

  it('reports a file in the place of a directory', async () => {
    await writeFile(join(directory, 'file'), BYTES);
    const error = await refusal(() => listDirectory(join(directory, 'file')));
    expect(error.code).toBe('store-unusable');
  });
});
