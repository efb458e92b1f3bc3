/**
 * Primitive values in their one encoding: numbers, bits, octets and object identifiers.
 *
 * Everything here throws {@link DerError} at any other encoding.
 *
 * @module
 */
import { toHex } from '../hex.ts';
import { DerError } from './error.ts';
import type { DerReader } from './reader.ts';
import { Tag, tagName } from './tags.ts';

const MAX_OID_OCTETS = 32;
const MAX_ARC = 0x0fff_ffff;

/** Octets of a number of at most `maximum` octets, big-endian, shortest; zero is one octet. */
export function readUnsigned(reader: DerReader, maximum: number, tag: number = Tag.INTEGER) {
  const { content } = reader.take(tag);
  const [first, second = 0] = content;
  if (first === undefined) throw new DerError(`a value in ${tagName(tag)}`, 'none');
  if (first >= 0x80) throw new DerError('a number that is not negative', `0x${toHex(content)}`);
  const padded = first === 0 && content.length > 1;
  if (padded && second < 0x80) throw new DerError('no leading zeros', `0x${toHex(content)}`);
  const magnitude = padded ? content.subarray(1) : content;
  if (magnitude.length > maximum) {
    throw new DerError(`a number of at most ${maximum} octets`, `${magnitude.length} octets`);
  }
  return magnitude;
}

/** A number from 0 to `maximum`, which is below 2^32. */
export function readNumber(reader: DerReader, maximum: number, tag: number = Tag.INTEGER): number {
  const octets = readUnsigned(reader, 4, tag);
  const number = octets.reduce((value, octet) => value * 256 + octet, 0);
  if (number > maximum) throw new DerError(`a number up to ${maximum}`, `${number}`);
  return number;
}

/**
 * Hexadecimal of a serial number of at most 20 octets (RFC 5280, 4.1.2.2), such as `010001`.
 *
 * Zero is `00`: AMD gives it to every VCEK and VLEK.
 */
export function readSerial(reader: DerReader): string {
  return toHex(readUnsigned(reader, 20));
}

export function readBoolean(reader: DerReader): boolean {
  const { content } = reader.take(Tag.BOOLEAN);
  const hex = toHex(content.subarray(0, 2));
  if (hex !== '00' && hex !== 'ff') throw new DerError('BOOLEAN 00 or ff', hex);
  return hex === 'ff';
}

/** Octets of a bit string that is whole octets. */
export function readBits(reader: DerReader): Uint8Array {
  const { content } = reader.take(Tag.BIT_STRING);
  if (content[0] !== 0) throw new DerError('a BIT STRING of whole octets', 'unused bits');
  return content.subarray(1);
}

/** In dotted form; at most 32 octets, each arc below 2^28. */
export function readOid(reader: DerReader): string {
  const { content } = reader.take(Tag.OBJECT_IDENTIFIER);
  const refuse = (found: string) => new DerError('a canonical OBJECT IDENTIFIER', found);
  if (content.length > MAX_OID_OCTETS) throw refuse(`${content.length} octets`);
  const arcs: number[] = [];
  let arc = 0;
  let open = false;
  for (const octet of content) {
    if (!open && octet === 0x80) throw refuse(`a padded arc in ${toHex(content)}`);
    arc = arc * 128 + (octet & 0x7f);
    if (arc > MAX_ARC) throw refuse(`an arc of 2^28 or more in ${toHex(content)}`);
    open = octet >= 0x80;
    if (open) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first, ...rest] = arcs;
  if (open || first === undefined) throw refuse(`a cut arc in '${toHex(content)}'`);
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join('.');
}
