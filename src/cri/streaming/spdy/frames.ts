/**
 * The frames of SPDY/3.1 (draft 3, section 2.2, and the windows of 3.1).
 *
 * @module
 */
export const SYN_STREAM = 1;
export const SYN_REPLY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const HEADERS = 8;
export const WINDOW_UPDATE = 9;

export const FIN = 0x01;

/** Reasons of RST_STREAM. */
export const PROTOCOL_ERROR = 1;
export const INVALID_STREAM = 2;
export const REFUSED_STREAM = 3;
export const CANCEL = 5;

/** Reasons of GOAWAY. */
export const GOAWAY_OK = 0;
export const GOAWAY_PROTOCOL_ERROR = 1;

/** Bytes that precede the payload of a frame. */
export const HEAD_BYTES = 8;
const VERSION = 3;
const CONTROL = 0x8000;

export type FrameHead = { readonly flags: number; readonly length: number } & (
  | { readonly stream: number }
  | { readonly version: number; readonly type: number }
);

export function parseHead(head: Buffer): FrameHead {
  const word = head.readUInt16BE(0);
  const flags = head.readUInt8(4);
  const length = head.readUIntBE(5, 3);
  if ((word & CONTROL) === 0) return { stream: head.readUInt32BE(0), flags, length };
  return { version: word & 0x7fff, type: head.readUInt16BE(2), flags, length };
}

/** A control frame whose payload begins with these numbers. */
export function controlFrame(
  type: number,
  numbers: readonly number[],
  rest: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + 4 * numbers.length);
  head.writeUInt16BE(CONTROL | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUIntBE(4 * numbers.length + rest.length, 5, 3);
  for (const [index, number] of numbers.entries()) {
    head.writeUInt32BE(number, HEAD_BYTES + 4 * index);
  }
  return Buffer.concat([head, rest]);
}

export function dataFrame(stream: number, payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(stream, 0);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([head, payload]);
}
