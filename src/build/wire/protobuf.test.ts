import { expect, it } from 'vitest';
import {
  bytesField,
  mapEntry,
  mapOf,
  ProtobufError,
  readFields,
  textOf,
  textsOf,
} from './protobuf.ts';

const hex = (text: string): Buffer => Buffer.from(text.replace(/ /g, ''), 'hex');

it('reads fields of each wire type, and keeps their bytes', () => {
  // Field 1 is 150, field 2 is "testing": the examples of the encoding's documentation.
  const message = hex(
    '08 96 01  12 07 74 65 73 74 69 6e 67  1d 01 02 03 04  21 01 02 03 04 05 06 07 08',
  );
  const fields = readFields(message);
  expect(fields.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  expect(textsOf(fields, 2)).toEqual(['testing']);
  expect(textsOf(fields, 1)).toEqual([]);
  expect(Buffer.concat(fields.map(({ encoded }) => encoded))).toEqual(message);
});

it('writes what it reads', () => {
  const long = 'x'.repeat(300);
  const message = Buffer.concat([bytesField(3, long), mapEntry(100, 'key', long)]);
  const fields = readFields(message);
  expect(textsOf(fields, 3)).toEqual([long]);
  expect([...mapOf(fields, 100)]).toEqual([['key', long]]);
});

it('takes the last entry of a key, as protocol buffers have it', () => {
  const message = Buffer.concat([mapEntry(4, 'a', '1'), mapEntry(4, 'a', '2')]);
  expect([...mapOf(readFields(message), 4)]).toEqual([['a', '2']]);
});

it.each([
  ['a number that is cut off', '08 96'],
  ['a number without an end', `08 ${'ff'.repeat(11)}`],
  ['a text that is cut off', '12 07 74'],
  ['a length beyond all bounds', '12 ff ff ff ff ff ff ff ff 7f 00'],
  ['a group', '0b'],
  ['a fixed number that is cut off', '1d 01'],
  ['a number of more than 64 bits', `08 ${'ff'.repeat(9)} 02`],
  ['the field number 0', '02 00'],
  ['a field number that Go would cut off to 13', 'ea 80 80 80 80 01 00'],
])('refuses %s', (_, text) => {
  expect(() => readFields(hex(text))).toThrow(ProtobufError);
});

it('reads a number of 64 bits', () => {
  expect(readFields(hex(`08 ${'ff'.repeat(9)} 01`))).toHaveLength(1);
});

it('takes the last text of a field that is none of a list', () => {
  const message = Buffer.concat([bytesField(3, 'x'), bytesField(3, 'image')]);
  expect(textOf(readFields(message), 3)).toBe('image');
  expect(textOf([], 3)).toBe('');
});

it.each([
  ['two keys', [bytesField(1, 'x'), bytesField(1, 'name'), bytesField(2, 'y')]],
  ['a key of another wire type', [hex('08 01'), bytesField(2, 'y')]],
  ['an unknown field', [bytesField(1, 'x'), bytesField(3, 'y')]],
])('refuses an entry of a map with %s', (_, parts) => {
  const fields = readFields(bytesField(4, Buffer.concat(parts)));
  expect(() => mapOf(fields, 4)).toThrow(ProtobufError);
});

it('refuses messages of many fields and maps of many entries, at once', () => {
  const fields = Buffer.alloc(16 * 1024 * 1024, Buffer.from([8, 0]));
  expect(() => readFields(fields)).toThrow('more than 10000 fields');
  const entries = readFields(Buffer.concat(Array(1001).fill(mapEntry(4, 'a', 'b'))));
  expect(() => mapOf(entries, 4)).toThrow('more than 1000 entries');
});
