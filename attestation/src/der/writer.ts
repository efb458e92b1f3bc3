/**
 * DER of the values that certificates are made of.
 *
 * What cannot be encoded is the caller's mistake: a `RangeError`.
 *
 * @module
 */
import { concat } from './bytes.ts';
import { contextConstructed, contextPrimitive, Tag, tagName } from './tags.ts';
import { isText, type TextTag } from './text.ts';
import { isGeneralized, timeText } from './time.ts';

/** A value of that tag around that content. */
export function value(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(content);
  return concat([Uint8Array.of(tag), lengthOctets(body.length), body]);
}

export function sequence(...values: Uint8Array[]): Uint8Array {
  return value(Tag.SEQUENCE, ...values);
}

/** SET OF, whose values the caller gives in their order (X.690, 11.6). */
export function set(...values: Uint8Array[]): Uint8Array {
  return value(Tag.SET, ...values);
}

/** `[number] EXPLICIT`. */
export function explicit(number: number, ...values: Uint8Array[]): Uint8Array {
  return value(contextConstructed(number), ...values);
}

/** `[number] IMPLICIT` of a primitive type with that content. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return value(contextPrimitive(number), content);
}

/** A number that is not negative: itself, or its octets, big-endian. */
export function integer(number: number | bigint | Uint8Array, tag: number = Tag.INTEGER) {
  const octets = number instanceof Uint8Array ? number : octetsOf(number);
  const significant = octets.findIndex((octet) => octet !== 0);
  const [first = 0, ...rest] = significant === -1 ? [] : octets.subarray(significant);
  // The high bit would be a minus.
  const sign = first >= 0x80 ? [0] : [];
  return value(tag, Uint8Array.of(...sign, first, ...rest));
}

export function boolean(truth: boolean): Uint8Array {
  return value(Tag.BOOLEAN, Uint8Array.of(truth ? 0xff : 0));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return value(Tag.OCTET_STRING, bytes);
}

/** Of whole octets. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return value(Tag.BIT_STRING, Uint8Array.of(0), bytes);
}

/** From dotted form. */
export function oid(dotted: string): Uint8Array {
  if (!/^[0-2](\.\d{1,8})+$/.test(dotted)) throw new RangeError(`${dotted} is not an OID`);
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return value(Tag.OBJECT_IDENTIFIER, ...[root * 40 + second, ...rest].map(arcOctets));
}

export function utf8String(text: string): Uint8Array {
  return string(Tag.UTF8_STRING, text);
}

export function printableString(text: string): Uint8Array {
  return string(Tag.PRINTABLE_STRING, text);
}

export function ia5String(text: string): Uint8Array {
  return string(Tag.IA5_STRING, text);
}

/** UTCTime or GeneralizedTime, as RFC 5280 (4.1.2.5) has it for the year. */
export function time(milliseconds: number): Uint8Array {
  const year = new Date(milliseconds).getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) throw new RangeError('a time from 1950 to 9999');
  const tag = isGeneralized(milliseconds) ? Tag.GENERALIZED_TIME : Tag.UTC_TIME;
  return value(tag, new TextEncoder().encode(timeText(milliseconds)));
}

function string(tag: TextTag, text: string): Uint8Array {
  if (!isText(tag, text)) {
    throw new RangeError(`${tagName(tag)} cannot hold ${JSON.stringify(text)}`);
  }
  return value(tag, new TextEncoder().encode(text));
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const octets = octetsOf(length);
  return Uint8Array.of(0x80 + octets.length, ...octets);
}

function octetsOf(number: number | bigint): Uint8Array {
  const octets: number[] = [];
  let left = BigInt(number);
  if (left < 0n) throw new RangeError(`${number} is negative`);
  for (; left > 0n; left >>= 8n) octets.unshift(Number(left & 0xffn));
  return Uint8Array.from(octets);
}

function arcOctets(arc: number): Uint8Array {
  const octets = [arc & 0x7f];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
    octets.unshift(0x80 | (left & 0x7f));
  }
  return Uint8Array.from(octets);
}
