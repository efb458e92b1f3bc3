import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSynced, syncDirectory } from './durable-file.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-durable-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('createSynced', () => {
  it.each([
    ['text', 'abc'],
    ['bytes', Uint8Array.of(0x61, 0x62, 0x63)],
  ])('makes a file of %s for its owner alone', async (_, contents) => {
    const path = join(directory, 'file');
    await createSynced(path, contents);
    expect(await readFile(path, 'utf8')).toBe('abc');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('leaves a file alone that is there', async () => {
    const path = join(directory, 'file');
    await writeFile(path, 'first');
    await expect(createSynced(path, 'second')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path, 'utf8')).toBe('first');
  });
});

describe('syncDirectory', () => {
  it('succeeds where there is a directory, and fails where there is none', async () => {
    await expect(syncDirectory(directory)).resolves.toBeUndefined();
    await expect(syncDirectory(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
