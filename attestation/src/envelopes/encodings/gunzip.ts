/**
 * The contents of a gzip file (RFC 1952), of one member with nothing in its header.
 *
 * @module
 */
import { inflate } from './inflate.ts';

/** Identification, DEFLATE, no flags; then time, extra flags and system, which say nothing. */
const HEADER = [0x1f, 0x8b, 8, 0];
const HEADER_SIZE = 10;
const TRAILER_SIZE = 8;

/**
 * Decompresses at most `maximum` bytes.
 *
 * @throws RangeError for anything else: another method, a flag, a second member, anything behind,
 * another checksum
 */
export function gunzip(bytes: Uint8Array, maximum: number): Uint8Array {
  if (HEADER.some((byte, index) => bytes[index] !== byte)) throw new RangeError('another header');
  const { bytes: contents, end } = inflate(bytes, HEADER_SIZE, maximum);
  if (bytes.length !== end + TRAILER_SIZE) throw new RangeError('something behind the data');
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end, TRAILER_SIZE);
  if (trailer.getUint32(0, true) !== crc32(contents)) throw new RangeError('another checksum');
  if (trailer.getUint32(4, true) !== contents.length) throw new RangeError('another length');
  return contents;
}

const CRC_POLYNOMIAL = 0xedb8_8320;

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (CRC_POLYNOMIAL & -(crc & 1));
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
