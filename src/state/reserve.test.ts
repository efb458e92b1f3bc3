import {
  ftruncateSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepReserve, withReserve } from './reserve.ts';

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return { ...real, writeSync: vi.fn(real.writeSync) };
});

const KIB = 1024;

let root: string;
let database: Database.Database;
let changes: string[];
let reserve: Disposable | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-reserve-'));
  database = new Database(':memory:');
  changes = [];
});
afterEach(() => {
  reserve?.[Symbol.dispose]();
  database.close();
  rmSync(root, { recursive: true });
});

const path = (): string => join(root, 'state.reserve');
const size = (): number => statSync(path()).size / KIB;
const full = (code = 'SQLITE_FULL') => new Database.SqliteError('database or disk is full', code);

function keep(checkMs = 3_600_000): void {
  const onChange = (change: string): number => changes.push(change);
  reserve = keepReserve(database, path(), { checkMs, onChange });
}

/** Writes where the reserve has at most so many KiB. */
function writing(most: number, code?: string): () => string {
  return () => {
    if (size() > most) throw full(code);
    return 'written';
  };
}

it('allocates the blocks of the reserve', () => {
  keep();
  expect(size()).toBe(512);
  expect(statSync(path()).blocks * 512).toBeGreaterThanOrEqual(512 * KIB);
});

it('gives up as much of the reserve as a record needs, and keeps the rest', () => {
  keep();
  expect(withReserve(database, writing(512))).toBe('written');
  expect(withReserve(database, writing(384))).toBe('written');
  expect(withReserve(database, writing(320, 'SQLITE_IOERR_WRITE'))).toBe('written');
  expect([size(), changes]).toEqual([320, ['given-up']]);
});

it('fails with the error of the full disk where nothing is left of the reserve', () => {
  keep();
  expect(() => withReserve(database, writing(-1))).toThrow('disk is full');
  expect(size()).toBe(0);
});

it('gives up nothing for another error', () => {
  keep();
  expect(() => withReserve(database, writing(0, 'SQLITE_CONSTRAINT'))).toThrow();
  expect(size()).toBe(512);
});

it('makes the reserve again where there is room', async () => {
  keep(5);
  withReserve(database, writing(64));
  await expect.poll(() => changes).toEqual(['given-up', 'made']);
  expect(size()).toBe(512);
});

it('goes on where somebody has removed the reserve', () => {
  keep();
  rmSync(path());
  let attempts = 0;
  const write = (): number => {
    attempts += 1;
    if (attempts === 1) throw full();
    return attempts;
  };
  expect(withReserve(database, write)).toBe(2);
});

it('allocates a reserve that is sparse or was given up in part', () => {
  writeFileSync(path(), '');
  truncateSync(path(), 512 * KIB);
  keep();
  expect(statSync(path()).blocks * 512).toBeGreaterThanOrEqual(512 * KIB);
});

it('gives back what it took where the disk or a quota is full before the reserve is whole', () => {
  keep();
  withReserve(database, writing(384));
  reserve?.[Symbol.dispose]();
  vi.mocked(writeSync)
    .mockImplementationOnce((file: number) => {
      ftruncateSync(file, 448 * KIB);
      return 64 * KIB;
    })
    .mockImplementationOnce(() => {
      throw Object.assign(new Error('quota'), { code: 'EDQUOT' });
    });
  keep();
  expect(size()).toBe(384);
  expect(withReserve(database, writing(320))).toBe('written');
});
