import { expect, it } from 'vitest';
import { digestOf } from '../../oci/digest.ts';
import type { Builder } from '../builder.ts';
import { blobArchive, builderOf } from '../testing/builder-of.ts';
import { readBlob } from './read-blob.ts';

const CONTENT = Buffer.from('a layer');
const DIGEST = digestOf(CONTENT);
const open = new AbortController();

async function read(
  archive: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  { signal = open.signal, stallMs = 60_000 } = {},
): Promise<string> {
  const blobArchive: Builder['blobArchive'] = async (_, given) => archive(given);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBlob({ ...builderOf(), blobArchive }, DIGEST, signal, stallMs)) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* pieces(...bytes: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bytes;
}

it('gives the content of the file in the archive, which may come in pieces', async () => {
  const bytes = blobArchive(CONTENT);
  expect(await read(() => pieces(bytes))).toBe('a layer');
  expect(await read(() => pieces(bytes.subarray(0, 514), bytes.subarray(514)))).toBe('a layer');
});

it.each([
  ['nothing', Buffer.alloc(0), 'builder-failed', 'it has no file for the blob'],
  ['a part', blobArchive(CONTENT).subarray(0, 514), 'invalid-image', 'ends too early'],
  ['no archive', Buffer.alloc(1024, 'x'), 'invalid-image', 'Cannot read blob'],
])('gives up on a builder that sends %s', async (_, bytes, code, words) => {
  await expect(read(() => pieces(bytes))).rejects.toMatchObject({
    ...{ code, message: expect.stringContaining(words) },
  });
});

it('gives up on a builder that stops in the middle, and lets the archive go', async () => {
  let given: AbortSignal | undefined;
  async function* stalling(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    given = signal;
    yield blobArchive(CONTENT).subarray(0, 514);
    await new Promise(() => undefined);
  }
  await expect(read(stalling, { stallMs: 20 })).rejects.toMatchObject({
    ...{ code: 'builder-failed', message: expect.stringContaining('came for 0.02 seconds') },
  });
  expect(given?.aborted).toBe(true);
});

it('ends with its caller', async () => {
  const caller = new AbortController();
  const reading = read(() => pieces(), { signal: caller.signal });
  caller.abort(new Error('gone'));
  await expect(reading).rejects.toThrow('gone');
});
