import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saltOf, treeBytes, VERITY_BLOCK, verityRoot } from './hash-tree.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-verity-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function* inChunks(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** The hash tree and its root, built by the code under test. */
async function ours(data: Buffer, salt: Buffer, chunk = 65_536) {
  const tree = Buffer.alloc(treeBytes(data.length), 0xff);
  const written: number[] = [];
  const sink = (block: Buffer, offset: number) => {
    block.copy(tree, offset);
    written.push(offset);
    return Promise.resolve();
  };
  const digest = await verityRoot(inChunks(data, chunk), { bytes: data.length, salt, sink });
  expect(written.length * VERITY_BLOCK).toBe(tree.length);
  return { tree, root: digest.toString('hex') };
}

/** The hash tree and its root, built by veritysetup. */
function theirs(data: Buffer, salt: Buffer) {
  const path = join(root, 'disk');
  writeFileSync(path, data);
  const out = execFileSync(
    'veritysetup',
    [
      ...[
        'format',
        '--no-superblock',
        '--format=1',
        '--hash=sha256',
        `--salt=${salt.toString('hex')}`,
      ],
      ...['--data-block-size=4096', '--hash-block-size=4096'],
      ...[
        `--data-blocks=${data.length / VERITY_BLOCK}`,
        `--hash-offset=${data.length}`,
        path,
        path,
      ],
    ],
    { encoding: 'utf8' },
  );
  expect(statSync(path).size % VERITY_BLOCK).toBe(0);
  return {
    tree: readFileSync(path).subarray(data.length),
    root: /^Root hash:\s+([0-9a-f]{64})$/m.exec(out)?.[1],
  };
}

describe('a hash tree', () => {
  // The sizes cover one block, a full hash block, two levels and three levels.
  it.each([1, 2, 127, 128, 129, 128 * 128, 128 * 128 + 1, 40_000])(
    'builds the hash tree that veritysetup builds over %i blocks',
    async (blocks) => {
      const data = randomBytes(Math.min(blocks, 300) * VERITY_BLOCK);
      const all = Buffer.concat([
        data,
        Buffer.alloc((blocks - Math.min(blocks, 300)) * VERITY_BLOCK),
      ]);
      const salt = saltOf(`sha256:${'0'.repeat(64)}`);
      const [here, there] = [await ours(all, salt), theirs(all, salt)];
      expect(here.root).toBe(there.root);
      expect(here.tree.equals(there.tree)).toBe(true);
    },
  );

  it('builds the same hash tree from chunks of any size', async () => {
    const data = randomBytes(130 * VERITY_BLOCK);
    const salt = randomBytes(32);
    const whole = await ours(data, salt, data.length);
    for (const chunk of [1000, 4095, 4096, 4097, 100_000]) {
      expect(await ours(data, salt, chunk)).toEqual(whole);
    }
  });

  it('derives the salt of a hash tree from the text of the diff ID', () => {
    expect(saltOf('sha256:00')).toEqual(createHash('sha256').update('sha256:00').digest());
  });

  it('builds another root hash when any byte of data or salt differs', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (blocks, place, flip) => {
          const data = randomBytes(blocks * VERITY_BLOCK);
          const salt = randomBytes(32);
          const before = await ours(data, salt);
          const other = Buffer.from(data);
          const at = place % other.length;
          other[at] = (other[at] ?? 0) ^ flip;
          expect((await ours(other, salt)).root).not.toBe(before.root);
          salt[at % 32] = (salt[at % 32] ?? 0) ^ flip;
          expect((await ours(data, salt)).root).not.toBe(before.root);
        },
      ),
    );
  });

  it.each([0, -4096, 1, 4095, 4097, Number.NaN, 2 ** 60])(
    'refuses to build a hash tree over %d bytes',
    (bytes) => {
      expect(() => treeBytes(bytes)).toThrow(RangeError);
    },
  );

  it.each([-4096, -1, 1, 4096])(
    'refuses to build a hash tree when the length of the data differs by %i',
    async (difference) => {
      const data = randomBytes(2 * VERITY_BLOCK + difference);
      await expect(
        verityRoot(inChunks(data, 4096), { bytes: 2 * VERITY_BLOCK, salt: randomBytes(32) }),
      ).rejects.toThrow(RangeError);
    },
  );
});
