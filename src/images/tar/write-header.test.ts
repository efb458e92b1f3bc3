import { describe, expect, it } from 'vitest';
import { ByteReader } from '../byte-reader.ts';
import { streamed } from '../testing/streams.ts';
import { readTar } from './read-tar.ts';
import { entryHeader, padding } from './write-header.ts';

async function firstOf(bytes: Buffer) {
  for await (const entry of readTar(new ByteReader(streamed(bytes), 'it'), 10)) return entry;
  return undefined;
}

describe('a header', () => {
  it.each([0, 1, 8 * 1024 ** 3 - 1, 8 * 1024 ** 3, 64 * 1024 ** 3])(
    'writes a tar header with a size of %d bytes',
    async (size) => {
      const bytes = entryHeader('blobs/it', { type: 'file', size });
      expect(bytes.length % 512).toBe(0);
      expect(await firstOf(Buffer.concat([bytes, Buffer.alloc(512)]))).toMatchObject({
        path: 'blobs/it',
        type: 'file',
        size,
      });
    },
  );

  it('pads tar entries to whole blocks', () => {
    expect([0, 1, 511, 512, 513].map((size) => padding(size).length)).toEqual([0, 511, 1, 0, 511]);
  });

  it('refuses a tar header for a name that does not fit', () => {
    expect(() => entryHeader('x'.repeat(101), { type: 'directory' })).toThrow(RangeError);
  });
});
