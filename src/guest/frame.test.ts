import { fuzzRuns } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { A3sError } from '../errors.ts';
import { encodeFrame, FrameParser, type OutputStream } from './frame.ts';

const pieces = fc.array(
  fc.record({
    stream: fc.constantFrom<OutputStream>('stdout', 'stderr'),
    data: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  }),
  { maxLength: 20 },
);

/** `bytes` in parts that end at the given places. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((start, i) => bytes.subarray(start, places[i] ?? bytes.length));
}

test('framed output is parsed back however the bytes are cut', () => {
  const start = fc.nat(2 ** 40);
  fc.assert(
    fc.property(pieces, start, fc.array(fc.nat(10_000), { maxLength: 30 }), (list, from, cuts) => {
      let offset = from;
      const frames: Buffer[] = [];
      for (const { stream, data } of list) {
        frames.push(encodeFrame(stream, offset, Buffer.from(data)));
        offset += data.length;
      }
      frames.push(encodeFrame('end', offset, Buffer.alloc(0)));
      const parser = new FrameParser(from);
      const chunks = split(Buffer.concat(frames), cuts).flatMap((part) => parser.push(part));
      parser.finish();
      expect(parser.offset).toBe(offset);
      for (const wanted of ['stdout', 'stderr'] as const) {
        const sent = list.filter(({ stream }) => stream === wanted).map(({ data }) => data);
        const seen = chunks.filter(({ stream }) => stream === wanted).map(({ data }) => data);
        expect(Buffer.concat(seen).equals(Buffer.concat(sent))).toBe(true);
      }
    }),
    fuzzRuns(),
  );
});

test('arbitrary bytes give chunks without gaps, or are refused', () => {
  const frame = fc
    .record({
      stream: fc.integer({ min: 0, max: 4 }),
      reserved: fc.constantFrom(0, 0, 0, 1),
      length: fc.oneof(fc.nat(40), fc.nat(0xffff_ffff)),
      offset: fc.oneof(fc.nat(80), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    })
    .map(({ stream, reserved, length, offset }) => {
      const header = Buffer.alloc(16);
      header.writeUInt8(stream, 0);
      header.writeUInt8(reserved, 2);
      header.writeUInt32BE(length, 4);
      header.writeBigUInt64BE(BigInt(offset), 8);
      return header;
    });
  const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(fc.oneof(frame, noise), { maxLength: 10 }), (parts) => {
      const parser = new FrameParser(0);
      let offset = 0;
      try {
        for (const part of parts) {
          for (const chunk of parser.push(part)) {
            expect(chunk.offset).toBe(offset);
            expect(chunk.data.length).toBeGreaterThan(0);
            offset += chunk.data.length;
          }
        }
        parser.finish();
      } catch (error) {
        if (!(error instanceof A3sError)) throw error;
        expect(error.code).toBe('agent-failed');
      }
    }),
    fuzzRuns(),
  );
});

test.each<[string, Buffer[], string]>([
  ['a gap', [encodeFrame('stdout', 8, Buffer.from('x'))], 'starts at offset 8, expected 7'],
  ['an overlap', [encodeFrame('stdout', 6, Buffer.from('x'))], 'starts at offset 6, expected 7'],
  ['a frame over 64 KiB', [encodeFrame('stdout', 7, Buffer.alloc(65_537))], 'has 65537 bytes'],
  ['an empty frame', [encodeFrame('stdout', 7, Buffer.alloc(0))], 'a frame is empty'],
  ['an end with a payload', [encodeFrame('end', 7, Buffer.from('x'))], 'end frame has a payload'],
  [
    'bytes after the end',
    [encodeFrame('end', 7, Buffer.alloc(0)), Buffer.from([1])],
    'follow the end',
  ],
  [
    'an unknown stream',
    [Buffer.from('04000000000000010000000000000007', 'hex')],
    'unknown stream 4',
  ],
  ['reserved bytes', [Buffer.from('01000100000000010000000000000007', 'hex')], 'reserved bytes'],
  ['no end', [encodeFrame('stdout', 7, Buffer.from('x'))], 'broke off at offset 8'],
  ['half a header', [Buffer.from([1, 0])], 'broke off at offset 7'],
])('a frame stream with %s is refused', (_, parts, message) => {
  const parser = new FrameParser(7);
  expect(() => {
    for (const part of parts) parser.push(part);
    parser.finish();
  }).toThrow(message);
});
