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
  ])('creates a file of %s that only its owner can read', async (_, contents) => {
    const path = join(directory, 'file');
    await createSynced(path, contents);
    expect(await readFile(path, 'utf8')).toBe('abc');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('refuses to replace an existing file', async () => {
    const path = join(directory, 'file');
    await writeFile(path, 'first');
    await expect(createSynced(path, 'second')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path, 'utf8')).toBe('first');
  });
});

describe('syncDirectory', () => {
  it('syncs an existing directory, and rejects for a missing one', async () => {
    await expect(syncDirectory(directory)).resolves.toBeUndefined();
    await expect(syncDirectory(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
