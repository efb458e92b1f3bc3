/**
 * One piece of a box's output as it lies in its log: a header of 32 bytes, then the bytes.
 *
 * | bytes | meaning                                            |
 * | ----- | -------------------------------------------------- |
 * | 0–3   | CRC-32 of all that follows                         |
 * | 4–7   | payload length                                     |
 * | 8     | 1 standard output (and the terminal), 2 standard error, 0 a mark (`mark.ts`) |
 * | 9–11  | zero                                               |
 * | 12–15 | the run of the box                                 |
 * | 16–23 | time, nanoseconds since 1970                       |
 * | 24–31 | offset within the run's output                     |
 *
 * Integers are big-endian. A record that a crash cut off, or left as zeros, does not pass its CRC.
 *
 * @module
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 32;
export const MAX_PAYLOAD = 64 * 1024;

export interface OutputRecord {
  readonly stream: 1 | 2;
  readonly run: number;
  readonly time: bigint;
  readonly offset: number;
  readonly payload: Buffer;
}

/** An output record, or the mark at the beginning of a file. */
export type AnyRecord = Omit<OutputRecord, 'stream'> & { readonly stream: 0 | 1 | 2 };

/** Header and payload, ready to be written one after the other. */
export function encodeRecord(record: AnyRecord): [Buffer, Buffer] {
  const { payload } = record;
  if (payload.length === 0 || payload.length > MAX_PAYLOAD) {
    throw new RangeError(`Cannot log ${payload.length} bytes as one record`);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(payload.length, 4);
  header.writeUInt8(record.stream, 8);
  header.writeUInt32BE(record.run, 12);
  header.writeBigUInt64BE(record.time, 16);
  header.writeBigUInt64BE(BigInt(record.offset), 24);
  header.writeUInt32BE(crc32(payload, crc32(header.subarray(4))), 0);
  return [header, payload];
}

/**
 * The record at the start of `bytes`.
 *
 * @returns `need`, the number of bytes that the record takes, where more are wanted; undefined
 * where there is no valid record. The payload is a view, not a copy.
 */
export function decodeRecord(bytes: Buffer): AnyRecord | { need: number } | undefined {
  if (bytes.length < HEADER_BYTES) return { need: HEADER_BYTES };
  const length = bytes.readUInt32BE(4);
  const stream = bytes.readUInt8(8);
  if (length === 0 || length > MAX_PAYLOAD) return undefined;
  if (stream !== 0 && stream !== 1 && stream !== 2) return undefined;
  const end = HEADER_BYTES + length;
  if (bytes.length < end) return { need: end };
  if (crc32(bytes.subarray(4, end)) !== bytes.readUInt32BE(0)) return undefined;
  return {
    stream,
    run: bytes.readUInt32BE(12),
    time: bytes.readBigUInt64BE(16),
    offset: Number(bytes.readBigUInt64BE(24)),
    payload: bytes.subarray(HEADER_BYTES, end),
  };
}
