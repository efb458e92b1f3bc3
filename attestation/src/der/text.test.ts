import { describe, expect, it } from 'vitest';
import { DerReader } from './reader.ts';
import { contextPrimitive, Tag } from './tags.ts';
import { isText, readText, type TextTag } from './text.ts';
import { ia5String, implicit, printableString, utf8String, value } from './writer.ts';

function read(tag: TextTag, ...content: number[]): string {
  return readText(new DerReader(value(tag, Uint8Array.from(content))), tag, 8);
}

describe('character strings', () => {
  it('reads a character string by its type', () => {
    expect(readText(new DerReader(utf8String('Zürich')), Tag.UTF8_STRING, 8)).toBe('Zürich');
    expect(readText(new DerReader(printableString('US')), Tag.PRINTABLE_STRING, 2)).toBe('US');
    expect(readText(new DerReader(ia5String('a@b_c')), Tag.IA5_STRING, 8)).toBe('a@b_c');
  });

  it('reads a character string with a context tag', () => {
    const reader = new DerReader(implicit(6, new TextEncoder().encode('https:')));
    expect(readText(reader, Tag.IA5_STRING, 8, contextPrimitive(6))).toBe('https:');
  });

  it.each<[string, TextTag, number[]]>([
    ['nothing', Tag.UTF8_STRING, []],
    ['octets that are not UTF-8', Tag.UTF8_STRING, [0xc3, 0x28]],
    ['overlong UTF-8', Tag.UTF8_STRING, [0xc0, 0xaf]],
    ['a control', Tag.UTF8_STRING, [0x41, 0x00]],
    ['a byte order mark', Tag.UTF8_STRING, [0xef, 0xbb, 0xbf, 0x41]],
    ['a bidirectional control', Tag.UTF8_STRING, [0xe2, 0x80, 0xae]],
    ['a line separator', Tag.UTF8_STRING, [0xe2, 0x80, 0xa8]],
    ['an at sign in PrintableString', Tag.PRINTABLE_STRING, [0x40]],
    ['a letter beyond ASCII in IA5String', Tag.IA5_STRING, [0xc3, 0xbc]],
    ['a newline in IA5String', Tag.IA5_STRING, [0x41, 0x0a]],
  ])('refuses a character string of %s', (_, tag, content) => {
    expect(() => read(tag, ...content)).toThrow('expected a visible');
  });

  it('refuses a character string above the given length', () => {
    expect(() => read(Tag.UTF8_STRING, ...Array(9).fill(0x41))).toThrow(
      'expected UTF8 STRING of at most 8 octets, found 9 octets',
    );
  });

  it('checks the characters that a string type may hold', () => {
    expect(isText(Tag.PRINTABLE_STRING, 'A b-9')).toBe(true);
    expect(isText(Tag.PRINTABLE_STRING, 'A_b')).toBe(false);
  });
});
