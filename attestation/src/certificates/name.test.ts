import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DerError } from '../der/error.ts';
import { DerReader } from '../der/reader.ts';
import { ia5String, oid, printableString, sequence, set, utf8String } from '../der/writer.ts';
import { type AttributeType, encodeName, formatName, type NameFields, readName } from './name.ts';
import { amd } from './testing/samples.ts';

const CN = '2.5.4.3';
const C = '2.5.4.6';

function attribute(type: string, text: Uint8Array): Uint8Array {
  return sequence(oid(type), text);
}

function read(...relative: Uint8Array[]): unknown {
  return readName(new DerReader(sequence(...relative)));
}

describe('names', () => {
  it('reads a name as text in the order of its encoding', () => {
    expect(readName(new DerReader(encodeName(amd('SEV-VCEK'))))).toEqual({
      text: 'OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices, CN=SEV-VCEK',
      commonName: 'SEV-VCEK',
      organization: 'OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices',
    });
  });

  it('formats a name that is a common name alone', () => {
    expect(formatName({ organization: [], commonName: 'A' })).toEqual({
      text: 'CN=A',
      commonName: 'A',
      organization: '',
    });
  });

  it.each([
    ['a, CN=b', 'a\\, CN\\=b'],
    ['a+b"c\\d<e>f;g', 'a\\+b\\"c\\\\d\\<e\\>f\\;g'],
    [' #a ', '\\ #a\\ '],
    ['#a', '\\#a'],
    [' ', '\\ '],
    ['a #b', 'a #b'],
  ])('escapes %j in the text of a name', (value, escaped) => {
    const { text } = formatName({ organization: [{ type: 'O', value }], commonName: 'x' });
    expect(text).toBe(`O=${escaped}, CN=x`);
  });

  it('reads attributes of a name as PrintableString and as UTF8String', () => {
    const name = read(
      set(attribute(C, utf8String('US'))),
      set(attribute(CN, printableString('x'))),
    );
    expect(name).toMatchObject({ text: 'C=US, CN=x' });
  });

  it.each<[string, Uint8Array[], string]>([
    ['nothing', [], 'expected a name that ends with CN, found none'],
    ['no common name', [set(attribute(C, utf8String('US')))], 'ends with CN, found C'],
    [
      'two common names',
      [set(attribute(CN, utf8String('a'))), set(attribute(CN, utf8String('b')))],
      'expected each attribute once, found CN twice',
    ],
    [
      'a common name that is not the last',
      [set(attribute(CN, utf8String('a'))), set(attribute(C, utf8String('US')))],
      'ends with CN, found C',
    ],
    [
      'two attributes in one RDN',
      [set(attribute(C, utf8String('US')), attribute(CN, utf8String('a')))],
      'trailing octets',
    ],
    ['an empty RDN', [set()], 'found the end'],
    ['another attribute', [set(attribute('2.5.4.5', utf8String('a')))], 'found 2.5.4.5'],
    ['another string type', [set(attribute(CN, ia5String('a')))], 'expected UTF8 STRING'],
    ['65 octets', [set(attribute(CN, utf8String('a'.repeat(65))))], 'at most 64 octets'],
    [
      'a third field',
      [set(sequence(oid(CN), utf8String('a'), utf8String('b')))],
      'trailing octets',
    ],
  ])('refuses a name with %s', (_, relative, message) => {
    expect(() => read(...relative)).toThrow(DerError);
    expect(() => read(...relative)).toThrow(message);
  });

  it('gives different names different texts', { timeout: FUZZ_TIMEOUT }, async () => {
    const value = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...' ,=+#\\"aC') });
    const types: AttributeType[] = ['OU', 'C', 'L', 'ST', 'O'];
    const name: fc.Arbitrary<NameFields> = fc.record({
      organization: fc.uniqueArray(fc.record({ type: fc.constantFrom(...types), value }), {
        selector: ({ type }) => type,
        maxLength: 3,
      }),
      commonName: value,
    });
    await fuzz(
      fc.property(name, name, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(formatName(a).text === formatName(b).text).toBe(same);
      }),
    );
  });
});
