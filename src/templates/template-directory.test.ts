import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as durable from '../durable.ts';
import { TemplateDirectory } from './template-directory.ts';

vi.mock('../durable.ts', { spy: true });

const KEY = 'a'.repeat(64);

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'a3s-templates-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

it('removes nothing of a template before its new name is on the disk', async () => {
  const path = join(root, KEY);
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, 'ram'), '');
  let found: readonly string[] = [];
  vi.mocked(durable.renameDurably).mockImplementationOnce(async (from, to) => {
    expect([from, dirname(to), basename(to).slice(0, 6)]).toEqual([path, root, '.gone-']);
    found = await readdir(from);
    throw new Error('EIO');
  });
  const open = (): Promise<void> =>
    new TemplateDirectory(root, { wall: Date.now, steady: Date.now }).open(
      async () => undefined,
      () => undefined,
    );
  await expect(open()).rejects.toThrow('EIO');
  expect(found).toEqual(['ram']);
  await open();
  expect(await readdir(root)).toEqual([]);
});
