import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { dataExtents } from '../../engine/data-extents.ts';
import { makeBlankDisk } from '../../templates/blank-disk.ts';
import { blankLayout } from '../../templates/blank-layout.ts';
import { writableLayerBytes, writtenBytes } from './disk-usage.ts';
import { WRITABLE_LAYER_FILE } from './writable-layer.ts';

vi.mock(import('../../engine/data-extents.ts'), async (actual) => {
  const real = await actual();
  return { ...real, dataExtents: vi.fn(real.dataExtents) };
});

const ID = 'a7'.repeat(32);

let home: string;
let disk: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'disk-usage-'));
  mkdirSync(join(home, 'boxes', ID), { recursive: true });
  disk = join(home, 'boxes', ID, WRITABLE_LAYER_FILE);
});
afterEach(() => {
  vi.mocked(dataExtents).mockClear();
  rmSync(home, { recursive: true });
});

/** Writes to part of the disk, like a guest that has mounted it. */
async function fill(start: number, bytes: number): Promise<void> {
  const file = await open(disk, 'r+');
  await file.write(Buffer.alloc(bytes, 1), 0, bytes, start);
  await file.close();
}

async function endOfTables(): Promise<number> {
  const [first] = (await blankLayout()).inUse;
  if (first === undefined) throw new Error('the disk has no tables');
  return first.end;
}

it('counts nothing for a box that never started or has an empty disk', async () => {
  expect(await writtenBytes({ home }, ID, false)).toBe(0);
  await makeBlankDisk(disk);
  expect(await writtenBytes({ home }, ID, false)).toBe(0);
  expect(await writableLayerBytes({ home }, ID)).toBeGreaterThan(100_000);
});

it('does not count the tables and the journal of the file system', async () => {
  await makeBlankDisk(disk);
  const longest = (await blankLayout()).inUse.reduce((a, b) =>
    a.end - a.start > b.end - b.start ? a : b,
  );
  expect(longest.end - longest.start).toBe(64 * 2 ** 20);
  await fill(longest.start, 8 * 2 ** 20);
  expect(await writtenBytes({ home }, ID, false)).toBe(0);
});

it('knows the tables of a disk of another size', async () => {
  const bytes = 300 * 2 ** 20;
  await makeBlankDisk(disk, bytes);
  const { inUse } = await blankLayout(bytes);
  const last = inUse.at(-1)?.end ?? 0;
  await fill(last, 300 * 1024);
  expect(await writtenBytes({ home }, ID, false, bytes)).toBe(300 * 1024 - 64 * 1024);
});

it('counts data blocks, but not the directories that every box has', async () => {
  await makeBlankDisk(disk);
  await fill(await endOfTables(), 64 * 1024);
  expect(await writtenBytes({ home }, ID, false)).toBe(0);
  await fill((await endOfTables()) + 64 * 1024, 300 * 1024);
  expect(await writtenBytes({ home }, ID, false)).toBe(300 * 1024);
});

it('counts the allocated size of a disk in too many pieces', async () => {
  await makeBlankDisk(disk);
  const [start, pieces] = [await endOfTables(), 17_000];
  const file = await open(disk, 'r+');
  const block = Buffer.alloc(4096, 1);
  for (let piece = 0; piece < pieces; piece++) {
    await file.write(block, 0, block.length, start + piece * 2 * block.length);
  }
  await file.close();
  const written = await writtenBytes({ home }, ID, false);
  expect(written).toBeGreaterThanOrEqual(pieces * 4096 - 64 * 1024);
  expect(written).toBeLessThanOrEqual(await writableLayerBytes({ home }, ID));
});

it('does not look for the pieces of a disk while a guest may write to it', async () => {
  expect(await writtenBytes({ home }, ID, true)).toBe(0);
  await makeBlankDisk(disk);
  expect(await writtenBytes({ home }, ID, true)).toBe(0);
  await fill(await endOfTables(), 128 * 1024);
  expect(await writtenBytes({ home }, ID, true)).toBe(0);
  await fill((await endOfTables()) + 128 * 1024, 3 * 2 ** 20);
  const written = await writtenBytes({ home }, ID, true);
  // The host's file system may allocate some blocks of its own.
  expect(Math.abs(written - 3 * 2 ** 20)).toBeLessThanOrEqual(64 * 1024);
  expect(dataExtents).not.toHaveBeenCalled();
  await writtenBytes({ home }, ID, false);
  expect(dataExtents).toHaveBeenCalledOnce();
});
