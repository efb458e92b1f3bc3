import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { Tag } from './tags.ts';
import {
  bitString,
  boolean,
  explicit,
  ia5String,
  implicit,
  integer,
  octetString,
  oid,
  printableString,
  sequence,
  set,
  time,
  utf8String,
  value,
} from './writer.ts';

describe('writing', () => {
  it.each<[string, Uint8Array, string]>([
    ['SEQUENCE', sequence(integer(1), boolean(true)), '30060201010101ff'],
    ['SET', set(boolean(false)), '3103010100'],
    ['EXPLICIT', explicit(3, integer(5)), 'a303020105'],
    ['IMPLICIT', implicit(0, Uint8Array.of(9)), '800109'],
    ['OCTET STRING', octetString(Uint8Array.of(1, 2)), '04020102'],
    ['BIT STRING', bitString(Uint8Array.of(1, 2)), '0303000102'],
    ['OBJECT IDENTIFIER', oid('1.3.6.1.4.1.3704.1.1'), '06092b060104019c780101'],
    ['UTF8String', utf8String('ü'), '0c02c3bc'],
    ['PrintableString', printableString('US'), '13025553'],
    ['IA5String', ia5String('a@b'), '1603614062'],
    ['ENUMERATED', integer(3, Tag.ENUMERATED), '0a0103'],
    ['UTCTime', time(Date.parse('2020-10-22T17:23:05.9Z')), '170d3230313032323137323330355a'],
    [
      'GeneralizedTime',
      time(Date.parse('2050-01-01T00:00:00Z')),
      '180f32303530303130313030303030305a',
    ],
  ])('writes %s in DER', (_, encoded, hex) => {
    expect(toHex(encoded)).toBe(hex);
  });

  it.each<[number | bigint | Uint8Array, string]>([
    [0, '020100'],
    [0n, '020100'],
    [127, '02017f'],
    [128, '02020080'],
    [256n, '02020100'],
    [Uint8Array.of(), '020100'],
    [Uint8Array.of(0, 0, 1), '020101'],
    [Uint8Array.of(0, 0xff), '020200ff'],
  ])('writes INTEGER %s in the fewest octets', (number, hex) => {
    expect(toHex(integer(number))).toBe(hex);
  });

  it.each([
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_536, '0483010000'],
  ])('writes the length %i in the fewest octets', (length, header) => {
    const encoded = value(Tag.OCTET_STRING, new Uint8Array(length));
    expect(toHex(encoded.subarray(0, header.length / 2))).toBe(header);
  });

  it.each<[string, () => Uint8Array]>([
    ['a negative number', () => integer(-1)],
    ['half a number', () => integer(0.5)],
    ['a word for an identifier', () => oid('rsa')],
    ['an underscore in PrintableString', () => printableString('a_b')],
    ['a newline in UTF8String', () => utf8String('a\nb')],
    ['a letter beyond ASCII in IA5String', () => ia5String('ü')],
    ['nothing in a string', () => utf8String('')],
    ['a time before 1950', () => time(Date.parse('1949-12-31T23:59:59Z'))],
    ['a time after 9999', () => time(253_402_300_800_000)],
    ['no time', () => time(Number.NaN)],
  ])('refuses to write %s in DER', (_, write) => {
    expect(write).toThrow(RangeError);
  });
});
