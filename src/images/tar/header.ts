/**
 * One 512-byte header of a tar archive: ustar, GNU and the Unix v7 form before them.
 *
 * @module
 */
import { corrupt } from '../../oci/corrupt.ts';

export const BLOCK = 512;
const ZERO_BLOCK = Buffer.alloc(BLOCK);

export interface Header {
  /** Bytes, each as one character of its code: names need not be UTF-8. */
  readonly path: string;
  readonly linkPath: string;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

/** Whether a block is one of those that end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block.equals(ZERO_BLOCK);
}

/** @throws A3sError `invalid-image`; `what` names the archive. */
export function parseHeader(block: Buffer, what: string): Header {
  const number = (offset: number, width: number, field: string): number =>
    parseNumber(block.subarray(offset, offset + width), field, what);
  const unsigned = (offset: number, width: number, field: string): number => {
    const value = number(offset, width, field);
    if (value < 0) throw corrupt(what, `a header's ${field} is negative`);
    return value;
  };
  const stated = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', 148, 156))?.[1];
  if (stated === undefined || Number.parseInt(stated, 8) !== checksum(block)) {
    throw corrupt(what, 'a header has a wrong checksum: it is damaged, or no tar');
  }
  const name = text(block, 0, 100);
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0';
  const gnu = block.toString('latin1', 257, 265) === 'ustar  \0';
  const prefix = ustar ? text(block, 345, 155) : '';
  const devices = ustar || gnu;
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    linkPath: text(block, 157, 100),
    flag: String.fromCharCode(block[156] ?? 0),
    mode: unsigned(100, 8, 'mode'),
    uid: unsigned(108, 8, 'uid'),
    gid: unsigned(116, 8, 'gid'),
    size: unsigned(124, 12, 'size'),
    mtime: number(136, 12, 'mtime'),
    major: devices ? unsigned(329, 8, 'device number') : 0,
    minor: devices ? unsigned(337, 8, 'device number') : 0,
  };
}

/** Octal digits between spaces and zeros, or GNU's base 256 when the first bit is set. */
export function parseNumber(field: Buffer, name: string, what: string): number {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) return parseBase256(field, name, what);
  const match = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1'));
  if (match === null) throw corrupt(what, `a header's ${name} is not a number`);
  const value = Number.parseInt(match[1] || '0', 8);
  if (!Number.isSafeInteger(value)) throw corrupt(what, `a header's ${name} is too large`);
  return value;
}

function parseBase256(field: Buffer, name: string, what: string): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (const [index, byte] of field.entries()) {
    const bits = index === 0 ? (negative ? byte : byte & 0x7f) : byte;
    value = (value << 8n) | BigInt(bits);
  }
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corrupt(what, `a header's ${name} is too large`);
  return number;
}

/** The sum of the header's bytes, its own field counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index += 1) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  }
  return sum;
}

function text(block: Buffer, offset: number, width: number): string {
  const field = block.toString('latin1', offset, offset + width);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}
