import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkPrivateDirectory, openPrivate } from './private-file.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-priv-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('opens files and directories that only their owner may read', async () => {
  const path = join(root, 'file');
  writeFileSync(path, 'text', { mode: 0o600 });
  const handle = await openPrivate(path);
  expect(await handle.readFile('utf8')).toBe('text');
  await handle.close();
  mkdirSync(join(root, 'directory'), { mode: 0o700 });
  await checkPrivateDirectory(join(root, 'directory'));
});

it.each([0o644, 0o660, 0o700, 0o400, 0o4600])('refuses to open a file of mode %i', async (mode) => {
  const path = join(root, 'file');
  writeFileSync(path, 'text');
  chmodSync(path, mode);
  await expect(openPrivate(path)).rejects.toThrow(/^its mode is \d+ instead of 600$/);
});

it('opens only regular files, and does not wait for the writer of a pipe', async () => {
  mkdirSync(join(root, 'directory'));
  await expect(openPrivate(join(root, 'directory'))).rejects.toThrow('it is not a file');
  execFileSync('mkfifo', ['-m', '600', join(root, 'pipe')]);
  await expect(openPrivate(join(root, 'pipe'))).rejects.toThrow('it is not a file');
  await expect(openPrivate(join(root, 'none'))).rejects.toThrow('it is missing');
  writeFileSync(join(root, 'file'), '', { mode: 0o600 });
  await expect(checkPrivateDirectory(join(root, 'file'))).rejects.toThrow('it is not a directory');
});
