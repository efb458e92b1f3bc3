import { mkdtempSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNameless } from '../content/files.ts';
import { DiskBudget } from '../disk-budget.ts';
import { streamed } from '../testing/streams.ts';
import { Scratch } from './scratch.ts';

const MiB = 1024 * 1024;

let root: string;
let file: FileHandle;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'a3s-scratch-'));
  file = await openNameless(root);
});

afterEach(async () => {
  await file.close();
  rmSync(root, { recursive: true, force: true });
});

async function keepAll(scratch: Scratch, bodies: readonly Buffer[]): Promise<void> {
  for (const [index, body] of bodies.entries()) {
    await scratch.keep(index % 2, index, body.length, parts(body));
  }
  await scratch.finish();
}

async function* parts(body: Buffer): AsyncGenerator<Buffer> {
  for await (const part of streamed(body, 100_003)) yield Buffer.from(part);
}

async function collect(scratch: Scratch, index: number, size: number): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const part of scratch.read(index % 2, index, size)) found.push(Buffer.from(part));
  return Buffer.concat(found);
}

describe('a scratch', () => {
  it('reads back what was written to the scratch file', async () => {
    const budget = new DiskBudget(root, 100 * MiB);
    const scratch = new Scratch(file, budget);
    const bodies = [
      Buffer.from('short'),
      Buffer.alloc(0),
      Buffer.alloc(3 * MiB + 5, 'long '),
      Buffer.alloc(2 * MiB),
    ];
    await keepAll(scratch, bodies);
    expect(scratch.complete).toBe(true);
    expect(budget.left).toBe(100 * MiB - bodies.reduce((sum, { length }) => sum + length, 0));
    for (const [index, body] of bodies.entries()) {
      expect((await collect(scratch, index, body.length)).equals(body)).toBe(true);
    }
  });

  it(
    'reads back any range of any data in the scratch file',
    async () => {
      await fuzz(
        fc.asyncProperty(fc.array(fc.nat(90_000), { maxLength: 60 }), async (sizes) => {
          await file.truncate(0);
          const scratch = new Scratch(file, new DiskBudget(root, 1024 * MiB));
          const bodies = sizes.map((size, index) => Buffer.alloc(size, index % 3));
          await keepAll(scratch, bodies);
          for (const [index, body] of bodies.entries()) {
            if (index % 4 === 3) continue;
            expect((await collect(scratch, index, body.length)).equals(body)).toBe(true);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('discards the cached data when it exceeds a quarter of the available space', async () => {
    const budget = new DiskBudget(root, 4 * MiB);
    const scratch = new Scratch(file, budget);
    await keepAll(scratch, [Buffer.alloc(MiB, 1), Buffer.alloc(1, 2), Buffer.alloc(10, 3)]);
    expect(scratch.complete).toBe(false);
    expect((await file.stat()).size).toBe(0);
    expect(budget.left).toBe(4 * MiB);
    await expect(collect(scratch, 1, 1)).rejects.toThrow('it was not kept');
  });
});
