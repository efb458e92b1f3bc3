import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Damaged } from './damaged.ts';
import { type Packed, pack, unpack } from './packed.ts';

const CHUNK = 4096;
const SIZE = 8 * 2 ** 20;
const SHAPE = { sizeBytes: SIZE, chunkBytes: CHUNK };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-pack-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function using<T>(
  path: string,
  flags: string,
  work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Packs a sparse file with these parts. */
async function sparse(
  parts: readonly (readonly [number, Buffer])[],
  size = SIZE,
): Promise<{ packed: Packed; path: string }> {
  const source = join(root, 'source');
  const path = join(root, 'packed');
  await using(source, 'w', async (handle) => {
    await handle.truncate(size);
    for (const [at, data] of parts) await handle.write(data, 0, data.length, at);
  });
  const packed = await using(source, 'r', ({ fd }) =>
    using(path, 'w', (target) =>
      pack(fd, { sizeBytes: size, chunkBytes: CHUNK }, target, new AbortController().signal),
    ),
  );
  return { packed, path };
}

async function content(path: string, packed: Packed, size = SIZE): Promise<Buffer> {
  const whole = Buffer.alloc(size);
  let last = -1;
  await using(path, 'r', (source) =>
    unpack(source, { sizeBytes: size, chunkBytes: CHUNK }, packed, async (offset, data) => {
      expect(offset).toBeGreaterThan(last);
      last = offset;
      data.copy(whole, offset);
    }),
  );
  return whole;
}

it('unpacks the bytes that were packed at their offsets', async () => {
  const parts = [
    [0, Buffer.from('first')],
    [CHUNK - 2, Buffer.from('across')],
    [3 * 2 ** 20 - 5, randomBytes(2 * 2 ** 20 + 11)],
    [SIZE - 4, Buffer.from('last')],
  ] as const;
  const { packed, path } = await sparse(parts);
  const whole = Buffer.alloc(SIZE);
  for (const [at, data] of parts) data.copy(whole, at);
  expect((await content(path, packed)).equals(whole)).toBe(true);
  expect(packed.bytes).toBeLessThan(2.1 * 2 ** 20);
});

it('stores neither holes nor zeros', async () => {
  const { packed, path } = await sparse([[2 ** 20, Buffer.alloc(2 ** 20)]]);
  expect(packed.bytes).toBe(24 + SIZE / CHUNK / 8);
  expect((await content(path, packed)).equals(Buffer.alloc(SIZE))).toBe(true);
});

it('packs equal files into equal bytes', async () => {
  const part = [[12_345, randomBytes(300_000)]] as const;
  const first = await sparse(part);
  expect((await sparse(part)).packed).toEqual(first.packed);
});

it('packs and unpacks any number of chunks', async () => {
  for (const chunks of [1, 7, 8, 9, 255, 256, 257]) {
    const size = chunks * CHUNK;
    const last = Buffer.from('end');
    const { packed, path } = await sparse([[size - 3, last]], size);
    expect((await content(path, packed, size)).subarray(-3)).toEqual(last);
  }
});

it('refuses to unpack a file as one of another shape', async () => {
  const { packed, path } = await sparse([[0, Buffer.from('x')]]);
  const other = { sizeBytes: 2 * SIZE, chunkBytes: 2 * CHUNK };
  await expect(
    using(path, 'r', (source) => unpack(source, other, packed, async () => undefined)),
  ).rejects.toThrow(Damaged);
  const sparseAgain = sparse([], SIZE + 1);
  await expect(sparseAgain).rejects.toThrow(RangeError);
});

it('stops packing when the signal is aborted', async () => {
  const source = join(root, 'source');
  writeFileSync(source, 'x');
  truncateSync(source, SIZE);
  const reason = new Error('enough');
  const work = using(source, 'r', ({ fd }) =>
    using(join(root, 'packed'), 'w', (target) =>
      pack(fd, SHAPE, target, AbortSignal.abort(reason)),
    ),
  );
  await expect(work).rejects.toBe(reason);
});

it('detects every damage of a packed file, and never writes beyond the target', async () => {
  const { packed, path } = await sparse([
    [0, randomBytes(3 * CHUNK)],
    [SIZE / 2, randomBytes(5 * CHUNK)],
  ]);
  const sound = await using(path, 'r', (handle) => handle.readFile());
  const harmed = join(root, 'harmed');
  for (let round = 0; round < 400; round += 1) {
    const bytes = harm(sound);
    if (bytes.equals(sound)) continue;
    writeFileSync(harmed, bytes);
    // In odd rounds the recorded size is adjusted, so that only the format itself can reveal the
    // damage.
    const expected = round % 2 === 0 ? packed : { ...packed, bytes: bytes.length };
    await using(harmed, 'r', async (source) => {
      const work = unpack(source, SHAPE, expected, async (offset, data) => {
        expect(offset + data.length).toBeLessThanOrEqual(SIZE);
      });
      await expect(work).rejects.toThrow(Damaged);
    });
  }
});

/** Changes, removes or doubles a few bytes, more often at the ends, where the metadata is. */
function harm(sound: Buffer): Buffer {
  const pick = (below: number): number => Math.floor(Math.random() * below);
  const end = pick(2) === 0 ? 24 : sound.length;
  const at = pick(3) === 0 ? sound.length - 1 - pick(SIZE / CHUNK / 8) : pick(end);
  const length = 1 + pick(16);
  const [before, after] = [sound.subarray(0, at), sound.subarray(at)];
  switch (pick(4)) {
    case 0:
      return Buffer.concat([before, after.subarray(length)]);
    case 1:
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 2:
      return Buffer.concat([before, randomBytes(length), after.subarray(length)]);
    default:
      return before;
  }
}
