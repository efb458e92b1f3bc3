import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openObject, parseDocument } from './json.ts';
import { repeatedMember } from './json-members.ts';

const read = (text: string, schema: z.ZodType = z.unknown()) =>
  parseDocument(Buffer.from(text), schema, 'the document');

describe('a document', () => {
  it.each([
    ['twice', '{"a":1,"a":2}', 'a'],
    ['twice with the same value', '{"a":1,"a":1}', 'a'],
    ['in two spellings', '{"a":1,"\\u0061":2}', 'a'],
    ['twice deep inside', '{"x":[1,{"y":{"b":1,"c":[{}],"b":2}}]}', 'b'],
    ['twice after similar strings', '{"k":"\\"a\\":1,{","a":"}","a":"]"}', 'a'],
    ['twice with an empty name', '{"":1,"":2}', ''],
    ['twice with an inherited name', '{"__proto__":1,"__proto__":2}', '__proto__'],
  ])('refuses a document with a member %s', (_, text, name) => {
    expect(repeatedMember(text)).toBe(name);
    expect(() => read(text)).toThrow(/an object in it has two members/);
  });

  it.each([
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":"a"}',
    '["a","a",{"a":["a","a"]}]',
    '{"a":1,"A":2}',
    '"a"',
    ' [ ] ',
  ])('reads the document %s', (text) => {
    expect(read(text)).toEqual(JSON.parse(text));
  });

  it('refuses a document whose members Go would confuse', () => {
    const schema = openObject({ layers: z.array(z.string()).optional() });
    expect(read('{"layers":["a"],"other":1}', schema)).toEqual({ layers: ['a'], other: 1 });
    for (const name of ['Layers', 'LAYERS', 'layer\u017f']) {
      expect(() => read(`{"layers":[],"${name}":[]}`, schema)).toThrow(
        `has a member "${name}", which some readers take for "layers"`,
      );
    }
    const kelvin = openObject({ token: z.string() });
    expect(() => read('{"token":"a","to\u212aen":"b"}', kelvin)).toThrow(/take for "token"/);
  });

  it('reads a document with a string of many megabytes', () => {
    const long = `${'x'.repeat(16 * 1024 * 1024)}\\\\`;
    expect(repeatedMember(`{"a":"${long}","b":["${long}"]}`)).toBeUndefined();
    expect(repeatedMember(`{"a":"${long}","a":1}`)).toBe('a');
    // The scan stays linear with very many escaped quotes.
    expect(repeatedMember(`{"a":"${'\\\\\\"'.repeat(1024 * 1024)}","a":1}`)).toBe('a');
  });

  it('refuses a document with too many values before it parses it', () => {
    const many = (items: number) => `{"layers":[${'0,'.repeat(items - 1)}0]}`;
    const schema = z.object({ layers: z.array(z.string()) });
    expect(() => read(many(1_000_000), schema)).toThrow('it has more than 50000 values');
    expect(() => read(many(40_000), schema)).toThrow(/expected string.*and \d+ more/);
    expect(() => parseDocument(Buffer.from(many(100)), z.unknown(), 'it', 99)).toThrow(
      'it has more than 99 values',
    );
    // The same characters in a string are not counted as values.
    expect(() => read(JSON.stringify('[{,'.repeat(100_000)))).not.toThrow();
    expect(() => read(`"${'[{,'.repeat(100_000)}`)).toThrow(/is not JSON/);
  });

  it('refuses a document that is no JSON, not UTF-8 or too deep', () => {
    expect(() => read('{')).toThrow(/is not JSON/);
    expect(() => read('\ufeff{}')).toThrow(/is not JSON/);
    expect(() => read('{}\ufeff')).toThrow(/is not JSON/);
    expect(read('"\ufeff"')).toBe('\ufeff');
    expect(() => parseDocument(Buffer.from([0x22, 0xff, 0x22]), z.unknown(), 'it')).toThrow(
      /is not JSON/,
    );
    expect(() => read(`${'['.repeat(65)}${']'.repeat(65)}`)).toThrow(/nested too deeply/);
    expect(() => read(`${'[{"a":'.repeat(33)}1${'}]'.repeat(33)}`)).toThrow(/nested too deeply/);
    expect(() => read(`[${'[[1],{}],'.repeat(100)}"[["]`)).not.toThrow();
  });
});

fuzz.prop([fc.jsonValue()], fuzzRuns())(
  'finds no repeated member in what JSON.stringify writes',
  (value) => {
    for (const text of [JSON.stringify(value), JSON.stringify(value, undefined, 1)]) {
      expect(repeatedMember(text)).toBeUndefined();
    }
  },
);

fuzz.prop([fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })], fuzzRuns())(
  'finds every member that is written twice',
  (value) => {
    const members = Object.entries(value).map(
      ([name, content]) => `${JSON.stringify(name)} : ${JSON.stringify(content)}`,
    );
    const [first = ''] = members;
    expect(repeatedMember(`[{${[...members, first].join(',')}}]`)).toBe(Object.keys(value)[0]);
  },
);
