import { expect, it } from 'vitest';
import { partsOf } from './power/lost-writes.ts';

it.each([
  [{ to: 8192, bytes: 1024 }, 512, [512, 512]],
  [{ to: 8192, bytes: 6000 }, 4096, [4096, 1904]],
  [{ to: 8192, bytes: 6000 }, Number.POSITIVE_INFINITY, [6000]],
  [{ to: 0, bytes: 4096 }, 512, [4096]],
  [{ to: 1024, bytes: 1024 }, 512, [1024]],
  [{ to: 0, bytes: 5120 }, 512, [4096, 512, 512]],
  [{ to: 0, bytes: 12_288 }, 8192, [8192, 4096]],
])('tears a write of %o at %d bytes, though not a superblock', (write, unit, lengths) => {
  const parts = partsOf(write, unit);
  expect(parts.map(({ length }) => length)).toEqual(lengths);
  expect(parts.map(({ start }) => start)).toEqual(
    lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0)),
  );
});
