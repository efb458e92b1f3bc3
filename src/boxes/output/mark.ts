/**
 * The first record of each file of a log except the first. Summarises the records before this file,
 * so that they need not be read or kept.
 *
 * Its header has the run and the offset that follow; its payload:
 *
 * | bytes | meaning                                          |
 * | ----- | ------------------------------------------------ |
 * | 0–7   | the latest time so far, nanoseconds since 1970   |
 * | 8–15  | lines of standard output that began              |
 * | 16–23 | lines of standard error that began               |
 * | 24    | bit 0, 1: the last line of the stream is open    |
 *
 * @module
 */
import { type AnyRecord, encodeRecord, HEADER_BYTES } from './record.ts';
import type { Tally } from './tally.ts';

const PAYLOAD_BYTES = 25;
export const MARK_BYTES = HEADER_BYTES + PAYLOAD_BYTES;

export function encodeMark({ run, offset, latest, lines, open }: Tally): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  payload.writeBigUInt64BE(latest, 0);
  payload.writeBigUInt64BE(BigInt(lines[0]), 8);
  payload.writeBigUInt64BE(BigInt(lines[1]), 16);
  payload.writeUInt8((open[0] ? 1 : 0) + (open[1] ? 2 : 0), 24);
  return Buffer.concat(encodeRecord({ stream: 0, run, offset, time: latest, payload }));
}

/** Undefined for a record that is no mark. */
export function decodeMark({ stream, run, offset, payload }: AnyRecord): Tally | undefined {
  if (stream !== 0 || payload.length !== PAYLOAD_BYTES) return undefined;
  const flags = payload.readUInt8(24);
  return {
    ...{ run, offset, latest: payload.readBigUInt64BE(0) },
    lines: [Number(payload.readBigUInt64BE(8)), Number(payload.readBigUInt64BE(16))],
    open: [(flags & 1) !== 0, (flags & 2) !== 0],
  };
}
