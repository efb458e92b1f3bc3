import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerError } from './error.ts';
import {
  readBits,
  readBoolean,
  readNumber,
  readOid,
  readSerial,
  readUnsigned,
} from './primitives.ts';
import { DerReader } from './reader.ts';
import { Tag } from './tags.ts';
import { bitString, boolean, integer, oid, value } from './writer.ts';

/** A reader of one value with the given content. */
function of(tag: number, ...content: number[]): DerReader {
  return new DerReader(value(tag, Uint8Array.from(content)));
}

describe('numbers', () => {
  it.each([0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff_ffff])(
    'reads the INTEGER %i',
    (number) => {
      expect(readNumber(new DerReader(integer(number)), 0xffff_ffff)).toBe(number);
    },
  );

  it('reads an ENUMERATED value as a number', () => {
    expect(readNumber(of(Tag.ENUMERATED, 8), 10, Tag.ENUMERATED)).toBe(8);
  });

  it.each([
    ['nothing', [], 'expected a value in INTEGER, found none'],
    ['a negative number', [0x80], 'expected a number that is not negative, found 0x80'],
    ['a leading zero', [0, 0x7f], 'expected no leading zeros, found 0x007f'],
    ['a zero of two octets', [0, 0], 'expected no leading zeros, found 0x0000'],
    ['five octets', [1, 0, 0, 0, 0], 'expected a number of at most 4 octets, found 5 octets'],
    ['a number above the maximum', [0x02], 'expected a number up to 1, found 2'],
  ])('refuses to read as a number: %s', (_, content, message) => {
    const read = () => readNumber(of(Tag.INTEGER, ...content), 1);
    expect(read).toThrow(DerError);
    expect(read).toThrow(message);
  });

  it('reads the octets of a long INTEGER without its sign octet', () => {
    const octets = Uint8Array.from({ length: 512 }, () => 0xff);
    expect(readUnsigned(new DerReader(integer(octets)), 512)).toEqual(octets);
  });

  it('reads serial numbers in hexadecimal as X.509 tools print them', () => {
    expect(readSerial(of(Tag.INTEGER, 1, 0, 1))).toBe('010001');
    expect(readSerial(of(Tag.INTEGER, 0))).toBe('00');
    expect(readSerial(of(Tag.INTEGER, 0, 0xfe))).toBe('fe');
    expect(readSerial(of(Tag.INTEGER, ...Array(20).fill(1)))).toBe('01'.repeat(20));
    const long = () => readSerial(of(Tag.INTEGER, ...Array(21).fill(1)));
    expect(long).toThrow('expected a number of at most 20 octets, found 21 octets');
  });
});

describe('truth values', () => {
  it('reads DER BOOLEAN true and false', () => {
    expect(readBoolean(new DerReader(boolean(true)))).toBe(true);
    expect(readBoolean(new DerReader(boolean(false)))).toBe(false);
  });

  it.each([[[]], [[1]], [[0xff, 0xff]], [[0, 0]]])(
    'refuses a BOOLEAN with the octets %j',
    (content) => {
      expect(() => readBoolean(of(Tag.BOOLEAN, ...content))).toThrow('expected BOOLEAN 00 or ff');
    },
  );
});

describe('bit strings', () => {
  it('reads a BIT STRING of whole octets', () => {
    expect(readBits(new DerReader(bitString(Uint8Array.of(1, 2))))).toEqual(Uint8Array.of(1, 2));
  });

  it.each([[[]], [[1, 2]], [[7, 0x80]]])('refuses a BIT STRING with the octets %j', (content) => {
    expect(() => readBits(of(Tag.BIT_STRING, ...content))).toThrow('a BIT STRING of whole octets');
  });
});

describe('object identifiers', () => {
  it.each(['0.0', '0.39', '1.0', '1.39', '2.0', '2.999', '1.3.6.1.4.1.3704.1.3.1', '2.5.29.14'])(
    'reads the OBJECT IDENTIFIER %s',
    (dotted) => {
      expect(readOid(new DerReader(oid(dotted)))).toBe(dotted);
    },
  );

  it.each([
    ['nothing', [], "a cut arc in ''"],
    ['a cut arc', [0x2a, 0x86], "a cut arc in '2a86'"],
    ['a padded arc', [0x2a, 0x80, 0x01], 'a padded arc in 2a8001'],
    ['an arc of 2^28', [0x2a, 0x81, 0x80, 0x80, 0x80, 0x00], 'an arc of 2^28 or more'],
    ['33 octets', Array(33).fill(1), '33 octets'],
  ])('refuses an OBJECT IDENTIFIER of %s', (_, content, message) => {
    const read = () => readOid(of(Tag.OBJECT_IDENTIFIER, ...content));
    expect(read).toThrow(DerError);
    expect(read).toThrow(message);
  });

  it('reads an OBJECT IDENTIFIER in only one encoding', { timeout: FUZZ_TIMEOUT }, async () => {
    await fuzz(
      fc.property(fc.uint8Array({ maxLength: 34 }), (content) => {
        const encoded = value(Tag.OBJECT_IDENTIFIER, content);
        let dotted: string;
        try {
          dotted = readOid(new DerReader(encoded));
        } catch (error) {
          expect(error).toBeInstanceOf(DerError);
          return;
        }
        // The writer accepts arcs of up to eight digits; the reader accepts slightly larger ones.
        if (!/\d{9}/.test(dotted)) expect(oid(dotted)).toEqual(encoded);
      }),
    );
  });
});
