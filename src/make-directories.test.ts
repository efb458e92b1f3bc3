import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectories } from './make-directories.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-directories-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('directories', () => {
  it('are made with all above them, once, whoever else makes them', async () => {
    const path = join(root, 'a/b/c');
    await Promise.all(Array.from({ length: 8 }, () => makeDirectories(path, 0o700)));
    await makeDirectories(path, 0o755);
    for (const each of ['a', 'a/b', 'a/b/c']) {
      expect(statSync(join(root, each)).mode & 0o777).toBe(0o700);
    }
    await makeDirectories('/', 0o700);
  });

  it.each([
    ['/proc/nowhere', 'ENOENT'],
    ['/proc/nowhere/a/b', 'ENOENT'],
    ['file/a', 'ENOTDIR'],
    ['file/a/b', 'ENOTDIR'],
    ['dangling/a', 'ENOENT'],
  ])('that cannot be made are refused, and not waited for: %s', async (path, code) => {
    writeFileSync(join(root, 'file'), '');
    symlinkSync('nowhere/at/all', join(root, 'dangling'));
    const full = path.startsWith('/') ? path : join(root, path);
    await expect(makeDirectories(full, 0o700)).rejects.toMatchObject({ code });
  });
});
