import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { duplexPair } from '../../../engine/testing/duplex-pair.ts';
import { HeaderWriter } from '../testing/spdy-client.ts';
import { SpdyConnection } from './connection.ts';
import * as frames from './frames.ts';
import type { SpdyStream } from './stream.ts';

const MAX_STREAMS = 3;
const ANSWERS = [
  ...[frames.SYN_REPLY, frames.RST_STREAM, frames.PING, frames.GOAWAY, frames.WINDOW_UPDATE],
];

const small = fc.nat(9);
const number = fc.oneof(small, fc.nat(0xffffffff));
const bytes = fc.uint8Array({ maxLength: 60 });
const header = fc.dictionary(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), {
  maxKeys: 3,
});
/** A frame that is as it should be, or nearly so, or no frame. */
const sent = fc.oneof(
  fc.record({ kind: fc.constant('open'), id: small, header, flags: fc.nat(3) }),
  fc.record({ kind: fc.constant('data'), id: small, payload: bytes, flags: fc.nat(1) }),
  fc.record({
    ...{ kind: fc.constant('control'), type: fc.nat(10), flags: fc.nat(255) },
    ...{ numbers: fc.array(number, { maxLength: 3 }), rest: bytes },
  }),
  fc.record({ kind: fc.constant('bytes'), payload: bytes }),
);
type Sent = typeof sent extends fc.Arbitrary<infer T> ? T : never;

async function encode(all: readonly Sent[]): Promise<Buffer> {
  const headers = new HeaderWriter();
  const encoded = all.map(async (each) => {
    if ('header' in each) {
      const block = await headers.block(each.header);
      const rest = Buffer.concat([Buffer.alloc(2), block]);
      return flagged(frames.controlFrame(frames.SYN_STREAM, [each.id, 0], rest), each.flags);
    }
    if ('type' in each) {
      return flagged(frames.controlFrame(each.type, each.numbers, each.rest), each.flags);
    }
    return 'id' in each ? frames.dataFrame(each.id, each.payload, each.flags) : each.payload;
  });
  const parts: Uint8Array[] = [];
  for (const each of encoded) parts.push(await each);
  return Buffer.concat(parts);
}

function flagged(frame: Buffer, flags: number): Buffer {
  frame.writeUInt8(flags, 4);
  return frame;
}

/** The control frames of a server, of which the last may be cut off by its end. */
function controlFrames(output: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + frames.HEAD_BYTES <= output.length; ) {
    const head = frames.parseHead(output.subarray(at));
    if ('stream' in head) throw new Error('nobody has written to a stream');
    expect(head.version).toBe(3);
    types.push(head.type);
    at += frames.HEAD_BYTES + head.length;
  }
  return types;
}

it(
  'ends each connection with its client, and keeps to its bounds, whatever frames arrive',
  async () => {
    const all = fc.array(sent, { maxLength: 30 });
    const property = fc.asyncProperty(
      all,
      fc.integer({ min: 1, max: 200 }),
      async (list, piece) => {
        const input = await encode(list);
        const [near, far] = duplexPair();
        const streams: SpdyStream[] = [];
        const connection = new SpdyConnection(
          {
            input: near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>,
            output: near,
          },
          { maxStreams: MAX_STREAMS, onStream: (stream) => void streams.push(stream) },
        );
        const served = connection.serve();
        const output: Buffer[] = [];
        far.on('data', (part: Buffer) => output.push(part)).on('error', () => undefined);
        for (let at = 0; at < input.length; at += piece) far.write(input.subarray(at, at + piece));
        far.end();
        await served;
        expect(connection.gone.aborted).toBe(true);
        const taken = await Promise.all(streams.map(({ input: data }) => data.toArray()));
        expect(taken.flat().reduce((sum, part) => sum + part.length, 0)).toBeLessThanOrEqual(
          input.length,
        );
        const ids = streams.map(({ id }) => id);
        expect(ids).toEqual(
          [...new Set(ids)].filter((id) => id % 2 === 1).toSorted((a, b) => a - b),
        );
        for (const type of controlFrames(Buffer.concat(output))) expect(ANSWERS).toContain(type);
      },
    );
    await fuzz(property);
  },
  FUZZ_TIMEOUT,
);
