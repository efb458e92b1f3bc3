import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { OutputChunk } from '../../guest/frame.ts';
import { copyOutput } from './copy-output.ts';
import { OutputLog } from './log.ts';
import { HEADER_BYTES } from './record.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'a3s-copy-'));
});
afterEach(() => rm(dir, { recursive: true }));

const PIECES = 40;
const PIECE_BYTES = 1000;

async function* pieces(): AsyncGenerator<OutputChunk> {
  for (let at = 0; at < PIECES; at += 1) {
    yield { stream: 'stdout', offset: at * PIECE_BYTES, data: Buffer.alloc(PIECE_BYTES, at) };
    // Some come while a sync is under way, some behind it.
    if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

it('acknowledges to the guest what a sync has brought to the disk, and nothing else', async () => {
  const log = new OutputLog(join(dir, 'output.log'), () => expect.fail('the log can be written'));
  await log.open(1);
  const other = await open(join(dir, 'other'), 'w');
  const prototype: FileHandle = Object.getPrototypeOf(other);
  await other.close();
  const { datasync } = prototype;
  /** Bytes of output that were in the file before a sync that has ended. */
  let safe = 0;
  const sync = vi.spyOn(prototype, 'datasync').mockImplementation(async function (
    this: FileHandle,
  ) {
    const { size } = await this.stat();
    await datasync.call(this);
    safe = (size / (HEADER_BYTES + PIECE_BYTES)) * PIECE_BYTES;
  });
  const acknowledged: number[] = [];
  const reader = Object.assign(pieces(), {
    ack: (offset: number) => {
      expect(offset).toBeLessThanOrEqual(safe);
      acknowledged.push(offset);
    },
  });
  await copyOutput(log, 1, reader, { offset: 0 });
  sync.mockRestore();
  expect(acknowledged.at(-1)).toBe(PIECES * PIECE_BYTES);
  expect(acknowledged).toEqual([...acknowledged].sort((a, b) => a - b));
  await log.close();
});
