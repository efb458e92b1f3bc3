import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { dataExtents, type Extent } from './data-extents.ts';
import { libc } from './libc.ts';

vi.mock(import('./libc.ts'), async (actual) => {
  const real = await actual();
  return { ...real, libc: vi.fn(real.libc) };
});

const SIZE = 64 * 2 ** 20;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-ext-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function extentsOf(offsets: readonly number[], size = SIZE): Promise<Extent[]> {
  const handle = await open(join(root, 'file'), 'w+');
  try {
    await handle.truncate(size);
    for (const at of offsets) await handle.write('data', at);
    const found: Extent[] = [];
    for await (const extent of dataExtents(handle.fd, size)) found.push(extent);
    return found;
  } finally {
    await handle.close();
  }
}

it('finds all data extents in order, and skips most holes', async () => {
  const offsets = [0, 5_000_000, SIZE - 4];
  const found = await extentsOf(offsets);
  for (const at of offsets) {
    expect(found.some(({ start, end }) => start <= at && at + 4 <= end)).toBe(true);
  }
  const bytes = found.reduce((sum, { start, end }) => sum + end - start, 0);
  expect(bytes).toBeLessThan(SIZE / 4);
  expect(found.map(({ start }) => start)).toEqual(
    found.map(({ start }) => start).sort((a, b) => a - b),
  );
});

it('finds no extents in a file of holes', async () => {
  expect(await extentsOf([])).toEqual([]);
  expect(await extentsOf([], 0)).toEqual([]);
});

it('finds the data of a file although a hole is punched between two seeks', async () => {
  const looks = [8192, 8192, 16_384, 20_480, -1];
  vi.mocked(libc).mockResolvedValueOnce({
    ...(await libc()),
    lseek: () => looks.shift() ?? 0,
    errno: () => 6,
  });
  const found: Extent[] = [];
  for await (const extent of dataExtents(0, SIZE)) found.push(extent);
  expect(found).toEqual([{ start: 16_384, end: 20_480 }]);
});
