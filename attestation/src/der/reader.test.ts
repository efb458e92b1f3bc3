import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerError } from './error.ts';
import { DerReader, openDer } from './reader.ts';
import { Tag } from './tags.ts';
import { sequence, value } from './writer.ts';

const OCTETS = value(Tag.OCTET_STRING, Uint8Array.of(1, 2, 3));

function take(...bytes: number[]): unknown {
  return new DerReader(Uint8Array.from(bytes)).take(Tag.OCTET_STRING);
}

/** Nested SEQUENCEs of `size` bytes in all. */
function nested(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset + 5 <= size; offset += 5) {
    const length = size - offset - 5;
    bytes.set([Tag.SEQUENCE, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff], offset);
  }
  return bytes;
}

describe('reading one level', () => {
  it('reads each value with its content and its encoding', () => {
    const reader = new DerReader(sequence(OCTETS, sequence())).enter();
    expect(reader.nextTag).toBe(Tag.OCTET_STRING);
    expect(reader.take(Tag.OCTET_STRING)).toEqual({
      tag: Tag.OCTET_STRING,
      content: Uint8Array.of(1, 2, 3),
      encoded: OCTETS,
    });
    reader.enter().end();
    expect(reader.nextTag).toBeUndefined();
    reader.end();
  });

  it.each([127, 128, 255, 256, 65_535, 65_536])('reads a DER length of %i octets', (length) => {
    const encoded = value(Tag.OCTET_STRING, new Uint8Array(length));
    expect(new DerReader(encoded).take(Tag.OCTET_STRING).content).toHaveLength(length);
  });

  it.each([
    ['nothing', [], 'expected another octet, found the end at byte 0'],
    ['another type', [0x30, 0], 'expected OCTET STRING, found SEQUENCE at byte 0'],
    ['a tag of several octets', [0x1f, 0x04, 0], 'found tag 0x1f at byte 0'],
    ['no length', [0x04], 'found the end at byte 1'],
    ['a cut length', [0x04, 0x82, 0x01], 'found the end at byte 3'],
    ['an indefinite length', [0x04, 0x80, 0, 0], 'found 0x80 at byte 1'],
    ['a length of four octets', [0x04, 0x84, 1, 0, 0, 0], 'found 0x84 at byte 1'],
    ['a reserved length', [0x04, 0xff], 'found 0xff at byte 1'],
    ['a short length in long form', [0x04, 0x81, 0x01, 0], 'found 2 octets at byte 1'],
    ['a length with a leading zero', [0x04, 0x82, 0x00, 0x80], 'found 3 octets at byte 1'],
    ['a long length with a leading zero', [0x04, 0x83, 0, 1, 0], 'found 4 octets at byte 1'],
    ['content beyond the end', [0x04, 2, 0], 'expected 2 octets of OCTET STRING, found 1'],
  ])('refuses to read as an OCTET STRING: %s', (_, bytes, message) => {
    expect(() => take(...bytes)).toThrow(DerError);
    expect(() => take(...bytes)).toThrow(message);
  });

  it('refuses trailing octets', () => {
    const reader = new DerReader(Uint8Array.of(0x04, 0, 0, 0));
    reader.take(Tag.OCTET_STRING);
    expect(() => reader.end()).toThrow(
      'expected no more values, found 2 trailing octets at byte 2',
    );
  });

  it('reads a value in its only DER encoding', { timeout: FUZZ_TIMEOUT }, async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.uint8Array({ maxLength: 600 }).map((content) => value(Tag.SEQUENCE, content)),
    );
    await fuzz(
      fc.property(anything, fc.nat(40), fc.nat(255), (bytes, position, replacement) => {
        const changed = Uint8Array.from(bytes);
        if (position < changed.length) changed[position] = replacement;
        try {
          const { tag, content, encoded } = new DerReader(changed).take(Tag.SEQUENCE);
          expect(value(tag, content)).toEqual(encoded);
          expect(encoded).toEqual(changed.subarray(0, encoded.length));
        } catch (error) {
          expect(error).toBeInstanceOf(DerError);
        }
      }),
    );
  });
});

describe('a whole input', () => {
  it('copies the DER input', () => {
    const bytes = Uint8Array.from(OCTETS);
    const reader = openDer(bytes, 100);
    bytes.fill(0);
    expect(reader.take(Tag.OCTET_STRING).encoded).toEqual(OCTETS);
  });

  it('reports the offset of a fault in DER', () => {
    const padded = Uint8Array.of(9, 9, 9, ...sequence(OCTETS, OCTETS));
    const reader = openDer(padded.subarray(3), 100).enter();
    reader.take(Tag.OCTET_STRING);
    expect(() => reader.take(Tag.INTEGER)).toThrow('found OCTET STRING at byte 7');
  });

  it('refuses a DER input above the given size', () => {
    expect(() => openDer(OCTETS, 4)).toThrow('expected at most 4 bytes, found 5 bytes');
    openDer(OCTETS, 5).take(Tag.OCTET_STRING);
  });

  it('throws a TypeError for a DER input that is not bytes', () => {
    expect(() => openDer('3000' as unknown as Uint8Array, 5)).toThrow(TypeError);
  });
});

describe('a mebibyte of values inside each other', () => {
  const bytes = nested(1024 * 1024);

  it('reads a mebibyte of nested values without descending into them', () => {
    let views = 0;
    class Counted extends Uint8Array {
      override subarray(begin?: number, end?: number): Uint8Array<ArrayBuffer> {
        views += 1;
        return new Uint8Array(this.buffer as ArrayBuffer).subarray(begin, end);
      }
    }
    const { content } = new DerReader(Counted.from(bytes)).take(Tag.SEQUENCE);
    expect(content).toHaveLength(bytes.length - 5);
    expect(views).toBe(2);
  });

  it('refuses a DER input that is too large before it copies a byte', () => {
    class Unread extends Uint8Array {
      override [Symbol.iterator](): never {
        throw new Error('it was read');
      }
    }
    expect(() => openDer(new Unread(65_536), 65_536)).toThrow('it was read');
    expect(() => openDer(new Unread(65_537), 65_536)).toThrow('expected at most 65536 bytes');
  });
});
