import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { frame } from '../testing/fake-box.ts';
import { demultiplex } from './frames.ts';

async function* chunked(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const end = Math.min(bytes.length, Math.max(at, cut));
    yield bytes.subarray(at, end);
    at = end;
  }
  yield bytes.subarray(at);
}

async function read(bytes: Buffer, cuts: readonly number[] = []): Promise<Record<string, string>> {
  const all = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  for await (const piece of demultiplex(chunked(bytes, cuts))) {
    all[piece.stream] = Buffer.concat([all[piece.stream], piece.bytes]);
  }
  return { stdout: all.stdout.toString('hex'), stderr: all.stderr.toString('hex') };
}

describe('demultiplex', () => {
  const cut = fc.array(fc.nat(2000), { maxLength: 20 });
  const pieces = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), fc.uint8Array({ maxLength: 100 })));

  it(
    'separates the streams of output frames, wherever reads are cut',
    () =>
      fuzz(
        fc.asyncProperty(pieces, cut, async (written, cuts) => {
          const bytes = Buffer.concat(
            written.map(([stream, payload]) => frame(stream, Buffer.from(payload))),
          );
          const of = (wanted: readonly number[]): string =>
            Buffer.concat(
              written.filter(([stream]) => wanted.includes(stream)).map(([, payload]) => payload),
            ).toString('hex');
          expect(await read(bytes, cuts)).toEqual({ stdout: of([0, 1]), stderr: of([2]) });
        }),
      ),
    FUZZ_TIMEOUT,
  );

  it(
    'reads or refuses arbitrary bytes as output frames',
    () =>
      fuzz(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), cut, async (bytes, cuts) => {
          await read(Buffer.from(bytes), cuts).catch((error: unknown) =>
            expect(error).toBeInstanceOf(A3sError),
          );
        }),
      ),
    FUZZ_TIMEOUT,
  );

  it.each([
    ['a stream that is none', Buffer.from([4, 0, 0, 0, 0, 0, 0, 0])],
    ['padding that is not zero', Buffer.from([1, 0, 1, 0, 0, 0, 0, 0])],
    ['a frame beyond the bound', Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])],
    ['an end inside a header', Buffer.from([1, 0, 0])],
    ['an end inside a frame', frame(1, 'hello').subarray(0, 10)],
  ])('refuses output frames with %s', async (_, bytes) => {
    await expect(read(bytes)).rejects.toThrow('Malformed output stream');
  });

  it("reports the server's own error, without its control characters", async () => {
    await expect(read(frame(3, 'no\x1b[31m more'))).rejects.toThrow(
      'The server reports: no\u{fffd}[31m more',
    );
  });
});
