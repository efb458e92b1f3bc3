import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeaderWriter } from '../testing/spdy-client.ts';
import { SpdyBroken } from './broken.ts';
import { DICTIONARY } from './dictionary.ts';
import { EmptyHeaders, HeaderReader } from './header-block.ts';

it('compresses by the dictionary of the specification', () => {
  // Adler-32 of SPDY/3's dictionary, which each of its streams of zlib begins with.
  let [a, b] = [1, 0];
  for (const byte of DICTIONARY) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  expect((b * 65_536 + a).toString(16)).toBe('e3c6a7c2');
});

it('reads what a client compresses, block after block', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.stringMatching(/^[ -~]{0,60}$/), {
          noNullPrototype: true,
        }),
        { maxLength: 5 },
      ),
      async (blocks) => {
        const [writer, reader] = [new HeaderWriter(), new HeaderReader()];
        for (const headers of blocks) {
          const read = await reader.read(await writer.block(headers));
          expect(Object.fromEntries(read)).toEqual(headers);
        }
        reader.close();
      },
    ),
    { numRuns: 30 },
  );
});

it('writes blocks without headers that zlib reads', async () => {
  const [replies, reader] = [new EmptyHeaders(), new HeaderReader()];
  for (let index = 0; index < 3; index += 1) {
    expect((await reader.read(replies.next())).size).toBe(0);
  }
  reader.close();
});

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

it.each([
  ['a block that unpacks to 10 MB', Buffer.alloc(10_000_000)],
  ['a block that is empty', Buffer.alloc(0)],
  ['a count of headers that do not come', number(3)],
  ['65 headers', Buffer.concat([number(65), Buffer.alloc(65 * 8)])],
  ['a name of 4 GiB', Buffer.concat([number(1), number(0xffffffff), Buffer.from('a')])],
  ['bytes behind the headers', Buffer.concat([number(0), Buffer.from('a')])],
])('refuses %s', async (_, bytes) => {
  const reader = new HeaderReader();
  await expect(reader.read(await new HeaderWriter().raw(bytes))).rejects.toThrow(SpdyBroken);
  reader.close();
});

it.each([
  ['no zlib', Buffer.from('this is not compressed')],
  ['a checksum of another dictionary', Buffer.from('78bb00000001000400fbff00000000', 'hex')],
])('refuses %s', async (_, bytes) => {
  const reader = new HeaderReader();
  await expect(reader.read(bytes)).rejects.toThrow(SpdyBroken);
  await expect(reader.read(bytes)).rejects.toThrow();
  reader.close();
});
