/**
 * Frames of a WebSocket's client.
 *
 * @module
 */
import { frameOf } from '../frames.ts';

const MASK = Buffer.from([1, 0x80, 0, 0xff]);

/** A frame as a client sends it, masked. */
export function maskedFrame(opcode: number, payload: Uint8Array, final = true, flags = 0): Buffer {
  const plain = frameOf(opcode, payload);
  const head = plain.subarray(0, plain.length - payload.length);
  head[0] = ((final ? 0x80 : 0) | flags | opcode) & 0xff;
  head[1] = (head[1] ?? 0) | 0x80;
  const masked = payload.map((byte, index) => byte ^ (MASK[index % 4] ?? 0));
  return Buffer.concat([head, MASK, masked]);
}
