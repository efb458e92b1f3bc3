import { expect, it } from 'vitest';
import { ACK, frame, TYPE } from '../../guest/testing/raw-guest.ts';
import { GREETING, withoutFirstAck, withoutPreface } from './greeting.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = frame(TYPE.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]));
const ACKNOWLEDGED = frame(TYPE.settings, ACK, 0);
const DATA = frame(TYPE.data, 0, 1, Buffer.from('data with \0\0\0\x04\x01\0\0\0\0 in it'));

/** In pieces of a size. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

it('greets with the preface and settings that say nothing', () => {
  expect(GREETING).toEqual(Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)]));
});

it.each([1, 2, 8, 9, 10, 1000])(
  'passes all but the preface of a builder, in pieces of %i',
  async (size) => {
    const sent = Buffer.concat([PREFACE, SETTINGS, PREFACE]);
    expect(await all(withoutPreface(pieces(sent, size)))).toEqual(
      Buffer.concat([SETTINGS, PREFACE]),
    );
  },
);

it.each([['HTTP/1.1 200 OK'], ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r!']])(
  'gives up on a builder that begins with %j',
  async (text) => {
    await expect(all(withoutPreface(pieces(Buffer.from(text), 5)))).rejects.toMatchObject({
      code: 'builder-failed',
    });
  },
);

it.each([1, 2, 8, 9, 10, 1000])(
  'passes all but the first acknowledgement of a client, in pieces of %i',
  async (size) => {
    const sent = [SETTINGS, DATA, ACKNOWLEDGED, ACKNOWLEDGED, DATA, Buffer.from('and no frame')];
    const passed = sent.toSpliced(2, 1);
    expect(await all(withoutFirstAck(pieces(Buffer.concat(sent), size)))).toEqual(
      Buffer.concat(passed),
    );
  },
);
