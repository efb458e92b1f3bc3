/**
 * Docker's framing of two streams on one connection.
 *
 * @module
 */
const HEADER_BYTES = 8;

export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

/** Clients of this version and later are told whether a stream is framed. */
export const NAMES_FRAMING_SINCE = 42;

/** The bytes with a header that names their stream and their length. */
export function frame(stream: 1 | 2, bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  framed.writeUInt32BE(stream * 0x1000000, 0);
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, HEADER_BYTES);
  return framed;
}
