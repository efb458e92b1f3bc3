import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateKey } from './duplicate-keys.ts';

/** A JSON value with its members in order, where a member may occur twice. */
type Tree = string | number | boolean | null | readonly Tree[] | { readonly members: Member[] };
type Member = readonly [name: string, value: Tree];

const { tree } = fc.letrec<{ tree: Tree; member: Member }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom('', 'a', '{"a":1,"a":2}', '\\"', ','), fc.string(), fc.integer()),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.record({ members: fc.array(tie('member'), { maxLength: 5 }) }),
    fc.constantFrom(null, true, false),
  ),
  member: fc.tuple(
    fc.oneof(
      fc.constantFrom('', 'a', '\\', '"', '\\"', '__proto__', '\ud800'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    tie('tree'),
  ),
}));

/** A member name as JSON text, optionally with every UTF-16 unit escaped. */
function print(name: string, escaped: boolean): string {
  if (!escaped) return JSON.stringify(name);
  const units = Array.from({ length: name.length }, (_, index) => name.charCodeAt(index));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
}

function toText(value: Tree, escaped: boolean, space: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const text = (element: Tree) => `${space}${toText(element, escaped, space)}${space}`;
  if (!('members' in value)) return `[${space}${value.map(text).join(',')}]`;
  const members = value.members.map(
    ([name, member], index) => `${space}${print(name, escaped && index % 2 === 1)}:${text(member)}`,
  );
  return `{${space}${members.join(',')}}`;
}

function hasDuplicate(value: Tree): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!('members' in value)) return value.some(hasDuplicate);
  const names = new Set(value.members.map(([name]) => name));
  return (
    names.size < value.members.length || value.members.some(([, member]) => hasDuplicate(member))
  );
}

describe('duplicateKey', () => {
  it.each<[string, string]>([
    ['{"a":1,"a":1}', 'a'],
    ['{"a":1,"b":2,"a":{}}', 'a'],
    ['{"":0,"":0}', ''],
    [' [ 1 , { "x" : [ { "y" : 1 , "y" : 2 } ] } ] ', 'y'],
    ['{"a":{"b":[]},"c":"}","a":0}', 'a'],
    ['{"a":[{"b":0}],"b":{"b":1},"a":0}', 'a'],
    ['{"report":0,"\\u0072eport":1}', 'report'],
    ['{"\\/":0,"/":1}', '/'],
    ['{"\\n":0,"\\u000A":1}', '\n'],
    ['{"\\"":0,"\\u0022":1}', '"'],
    ['{"\\\\":0,"\\u005c":1}', '\\'],
    ['{"\\ud83d\\ude00":0,"😀":1}', '😀'],
    ['{"__proto__":0,"__proto__":1}', '__proto__'],
  ])('finds the duplicate key in %s', (json, name) => {
    expect(() => JSON.parse(json)).not.toThrow();
    expect(duplicateKey(json)).toBe(name);
  });

  it.each([
    '{}',
    '"a"',
    '1',
    'null',
    '["a","a"]',
    '{"a":"a","b":"a"}',
    '{"a":["a","b"],"b":["a"]}',
    '{"a":{"a":{"a":0}}}',
    '[{"a":0},{"a":0}]',
    '{"a":"{\\"b\\":0,\\"b\\":0}","b":",","c":"\\\\"}',
    '{"a":0,"A":0,"\\u00e4":0,"a\\u0308":0}',
    '{"toString":0,"constructor":0}',
  ])('finds no duplicate key in %s', (json) => {
    expect(() => JSON.parse(json)).not.toThrow();
    expect(duplicateKey(json)).toBeUndefined();
  });

  it('finds duplicate keys exactly where a generated text has them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.property(tree, fc.boolean(), fc.constantFrom('', ' ', '\n\t'), (value, escaped, space) => {
        const json = toText(value, escaped, space);
        expect(() => JSON.parse(json)).not.toThrow();
        expect(duplicateKey(json) !== undefined).toBe(hasDuplicate(value));
      }),
    );
  });

  it('finds no duplicate key in what JSON.stringify prints', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        expect(duplicateKey(JSON.stringify(value, null, indent))).toBeUndefined();
      }),
    );
  });

  it('scans large texts of any nesting to their end', () => {
    const half = 0x8_0000;
    const texts = [
      '['.repeat(half) + ']'.repeat(half),
      `${'{"a":'.repeat(half / 4)}0${'}'.repeat(half / 4)}`,
      `["${'\\\\'.repeat(half)}"]`,
      `{${Array.from({ length: half / 8 }, (_, index) => `"${index}":0`).join(',')}}`,
      `[${'"",'.repeat(half / 2)}0]`,
    ];
    for (const json of texts) {
      expect(duplicateKey(json)).toBeUndefined();
    }
  });
});
