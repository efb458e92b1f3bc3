import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BINARY, CLOSE, closeFrame, frameOf, messageBytes, messageParts, PONG } from './frames.ts';
import { maskedFrame } from './testing/masked-frame.ts';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Uint8Array, size = bytes.length) {
  const replies: Buffer[] = [];
  const parts: Uint8Array[] = [];
  const reply = (frame: Buffer): void => void replies.push(frame);
  for await (const part of messageBytes(chunksOf(bytes, size), reply)) parts.push(part);
  return { text: Buffer.concat(parts).toString(), replies };
}

const bytes = (text: string): Buffer => Buffer.from(text);
const PING = 0x9;

describe('messageBytes', () => {
  it('yields the bytes of messages however they are cut into frames and chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 })),
        fc.integer({ min: 1, max: 50 }),
        async (messages, size) => {
          const frames = messages.flatMap((parts) =>
            parts.map((part, index) =>
              maskedFrame(index === 0 ? BINARY : 0, part, index === parts.length - 1),
            ),
          );
          const { text, replies } = await read(Buffer.concat(frames), size);
          expect(text).toBe(Buffer.concat(messages.flat()).toString());
          expect(replies).toEqual([]);
        },
      ),
    );
  });

  it.each([125, 126, 65_535, 65_536])('reads a frame of %i bytes', async (length) => {
    const payload = Buffer.alloc(length, 'x');
    expect((await read(maskedFrame(BINARY, payload), 1000)).text).toBe(payload.toString());
  });

  it('yields the bytes of a message that has not arrived whole, without keeping them', async () => {
    const whole = maskedFrame(BINARY, Buffer.alloc(100_000, 'x'));
    let taken = 0;
    async function* arriving(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < whole.length; at += 1000) {
        // Nothing is read of the connection before all that has arrived was taken.
        expect(taken).toBe(Math.max(0, at - (whole.length - 100_000)));
        yield whole.subarray(at, at + 1000);
      }
    }
    for await (const part of messageBytes(arriving(), () => expect.fail())) taken += part.length;
    expect(taken).toBe(100_000);
  });

  it('answers a ping in the middle of a message with its own bytes', async () => {
    const frames = [
      maskedFrame(1, bytes('a'), false),
      maskedFrame(PING, bytes('?')),
      maskedFrame(0, bytes('b')),
    ];
    expect(await read(Buffer.concat(frames))).toEqual({
      ...{ text: 'ab', replies: [frameOf(PONG, bytes('?'))] },
    });
  });

  it('ends the bytes with the client’s closing frame, and answers it', async () => {
    const frames = [
      maskedFrame(1, bytes('a')),
      maskedFrame(CLOSE, bytes('')),
      maskedFrame(1, bytes('late')),
    ];
    expect(await read(Buffer.concat(frames))).toEqual({
      ...{ text: 'a', replies: [closeFrame(1000)] },
    });
  });

  it('ends the bytes where the connection ends, also in the middle of a frame', async () => {
    const whole = maskedFrame(1, bytes('abc'));
    for (let cut = 0; cut < whole.length; cut += 1) {
      const { text, replies } = await read(whole.subarray(0, cut));
      expect('abc'.startsWith(text)).toBe(true);
      expect(replies).toEqual([]);
    }
  });

  it.each([
    ['a frame without a mask', frameOf(1, bytes('a'))],
    ['an extension that was not agreed on', maskedFrame(1, bytes('a'), true, 0x40)],
    ['an unknown kind of frame', maskedFrame(3, bytes('a'))],
    ['an unknown control frame', maskedFrame(0xb, bytes('a'))],
    ['a control frame of 126 bytes', maskedFrame(PING, Buffer.alloc(126))],
    ['a control frame in parts', maskedFrame(PING, bytes('a'), false)],
    ['a continuation of nothing', maskedFrame(0, bytes('a'))],
    [
      'a message within another',
      Buffer.concat([maskedFrame(1, bytes(''), false), maskedFrame(1, bytes('a'))]),
    ],
    [
      'a length above 2^53',
      Buffer.concat([
        Buffer.from([0x81, 0xff]),
        Buffer.alloc(8, 0xff),
        Buffer.alloc(4),
        bytes('a'),
      ]),
    ],
  ])('closes with status 1002 after %s', async (_, frames) => {
    expect(await read(Buffer.concat([frames, maskedFrame(1, bytes('more'))]))).toEqual({
      ...{ text: '', replies: [closeFrame(1002)] },
    });
  });
});

describe('messageParts', () => {
  it('says where a message begins, and yields an empty one', async () => {
    const frames = [
      ...[maskedFrame(2, bytes('ab')), maskedFrame(2, bytes('')), maskedFrame(2, bytes(''), false)],
      ...[maskedFrame(0, bytes('c'), false), maskedFrame(0, bytes('d'))],
    ];
    const parts: [string, boolean][] = [];
    const read = messageParts(chunksOf(Buffer.concat(frames), 1000), () => undefined);
    for await (const part of read) parts.push([part.bytes.toString(), part.first]);
    expect(parts).toEqual([
      ...[['ab', true] as const, ['', true] as const],
      ...[['c', true] as const, ['d', false] as const],
    ]);
  });
});
