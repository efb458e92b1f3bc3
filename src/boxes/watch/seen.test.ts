import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Seen } from './seen.ts';

const stats = { mtimeNs: 1n, size: 2n, ino: 3n, mode: 4n };

it('finds what differs from what it saw last, and what it was made to forget', () => {
  const seen = new Seen();
  expect(seen.isNew('a', stats)).toBe(true);
  expect(seen.isNew('b', stats)).toBe(true);
  expect(seen.isNew('a', stats)).toBe(false);
  expect(seen.isNew('a', { ...stats, size: 3n })).toBe(true);
  seen.forget('a');
  expect(seen.isNew('a', { ...stats, size: 3n })).toBe(true);
  expect(seen.isNew('b', stats)).toBe(false);
});

it('takes a few MiB, however many and however long the paths are', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const seen = new Seen();
  const path = (index: number): string => `${index}/`.padEnd(4095, 'x');
  for (let index = 0; index < 20_000; index += 1) seen.isNew(path(index), stats);
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 1024 * 1024);
  expect(seen.isNew(path(19_999), stats)).toBe(false);
  expect(seen.isNew(path(0), stats)).toBe(true);
});
