import { expect, it } from 'vitest';
import { bytesField, mapEntry, mapOf, ProtobufError, readFields, textsOf } from './protobuf.ts';

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
])('refuses %s', (_, text) => {
  expect(() => readFields(hex(text))).toThrow(ProtobufError);
});
