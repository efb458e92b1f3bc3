import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as durable from '../durable.ts';
import { putInPlace, readBootSet } from './bootset.ts';
import { writeSyntheticSet } from './testing/synthetic-set.ts';

vi.mock('../durable.ts', { spy: true });

let root: string;
let work: string;
let target: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'put-'));
  [work, target] = [join(root, 'work'), join(root, 'sets/target')];
  await mkdir(join(root, 'sets'));
  await writeSyntheticSet(work);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

it('syncs a boot set that another process has put in place', async () => {
  await writeSyntheticSet(target);
  await putInPlace(work, target);
  expect(vi.mocked(durable.syncDirectory).mock.calls).toEqual([[work], [join(root, 'sets')]]);
});

it('fails when the name of a boot set cannot be synced', async () => {
  const failure = new Error('EIO');
  vi.mocked(durable.renameDurably).mockImplementationOnce(async (from, to) => {
    await rename(from, to);
    throw failure;
  });
  vi.mocked(durable.syncDirectory)
    .mockImplementationOnce(async () => undefined)
    .mockRejectedValueOnce(failure);
  await expect(putInPlace(work, target)).rejects.toBe(failure);
});

it('replaces a damaged boot set', async () => {
  await writeSyntheticSet(target);
  await rm(join(target, 'boot.json'));
  await putInPlace(work, target);
  expect((await readBootSet(target)).directory).toBe(target);
  expect(await readdir(root)).toEqual(['sets']);
});
