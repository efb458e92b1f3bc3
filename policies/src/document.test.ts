import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_POLICY_DOCUMENT, PolicyError, readPolicyDocument } from './document.ts';

function refusalOf(text: string | Uint8Array): PolicyError | undefined {
  try {
    readPolicyDocument(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    expect(error.code).toBe('policy-unreadable');
    return error;
  }
  return undefined;
}

describe('readPolicyDocument', () => {
  it('reads a policy document in YAML', () => {
    const text = [
      '# A comment.',
      'a: [1, -2, 0, x y]',
      'b: {c: true, d: False, e: null, f: ~}',
      "g: '0x1f'",
      'h: |',
      '  &text that !looks *like more',
      'i: "\\u0041"',
      '1: 2',
      '...',
    ];
    expect(readPolicyDocument(text.join('\n'))).toEqual({
      a: [1, -2, 0, 'x y'],
      b: { c: true, d: false, e: null, f: null },
      g: '0x1f',
      h: '&text that !looks *like more\n',
      i: 'A',
      '1': 2,
    });
  });

  it('reads a policy document in JSON, with tabs for indentation as well', () => {
    const value = { a: [1, { b: null }], c: 'x', d: true };
    expect(readPolicyDocument(JSON.stringify(value))).toEqual(value);
    expect(readPolicyDocument(JSON.stringify(value, null, '\t'))).toEqual(value);
  });

  it('reads a policy document from bytes, with or without a byte order mark', () => {
    expect(readPolicyDocument(new TextEncoder().encode('a: ä'))).toEqual({ a: 'ä' });
    expect(readPolicyDocument(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0x3a, 0x20, 0x31))).toEqual({
      a: 1,
    });
  });

  it.each(['1.50', '1e5', '0x1f', '0o17', '0755', '+1', '.inf', 'yes', '1234567890123456', '-0'])(
    'reads the scalar %s as text',
    (scalar) => {
      expect(readPolicyDocument(`a: ${scalar}`)).toEqual({ a: scalar });
    },
  );

  it('reads a __proto__ key as an ordinary key', () => {
    const document = readPolicyDocument('__proto__: {a: 1}');
    expect(Object.getPrototypeOf(document)).toBe(Object.prototype);
    expect(Object.keys(Object(document))).toEqual(['__proto__']);
  });

  it.each([
    ['a: &x 1', 1, 4, 'anchors are not read'],
    ['a: 1\nb: *a', 2, 4, 'aliases are not read'],
    ['a: !!int 1', 1, 4, 'tags are not read'],
    ['a: ! 1', 1, 4, 'tags are not read'],
    ['%YAML 1.1\n---\na: yes', 1, 1, 'directives are not read'],
    ['a: 1\n<<: {b: 2}', 2, 1, 'merge keys are not read'],
    ['a: 1\nb: 2\na: 3', 3, 1, 'this key is there twice'],
    ['{"a": 1, "a": 1}', 1, 10, 'this key is there twice'],
    ['a: {b: {c: 1, c: 2}}', 1, 15, 'this key is there twice'],
    ['a:', 1, 3, 'nothing is said here'],
    ['a: 1\nb: {c}', 2, 5, 'nothing is said here'],
    ['a:\n  -\n  - 1', 2, 4, 'nothing is said here'],
    [': 1', 1, 1, 'nothing is said here'],
    ['', 1, 1, 'nothing is said here'],
    ['# nothing', 1, 1, 'nothing is said here'],
    ['a: 1\n---\nb: 2', 2, 1, 'a second document'],
    ['[a]: 1', 1, 1, 'With stringKeys, all keys must be strings'],
    [
      'a: [1',
      1,
      6,
      'Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['a: b: c', 1, 4, 'Nested mappings are not allowed in compact mappings'],
    [`${'['.repeat(17)}`, 1, 17, 'nested deeper than 16 levels'],
    [`a: 1\nb: ${'{a: '.repeat(16)}`, 2, 64, 'nested deeper than 16 levels'],
  ])('refuses the policy document %j at line %i, column %i', (text, line, column, message) => {
    expect(refusalOf(text)?.problems).toEqual([{ path: '', message, line, column }]);
  });

  it.each([
    'hunter2: a\nhunter2: b',
    'a: "\\hunter2"',
    'a: @hunter2',
    'a: |hunter2\n  b',
    '"a" hunter2',
    '{a: 1} hunter2',
    'a: !hunter2 1',
    '%HUNTER2 hunter2\n---\na: 1',
    '[hunter2',
    '- a\nhunter2',
    'hunter2: b: c',
    '\thunter2:\n\t\t- *hunter2',
    'a: *hunter2',
    'a: &hunter2 1',
  ])('repeats nothing of a policy document that it refuses: %j', (text) => {
    const refusal = refusalOf(text);
    expect(refusal?.code).toBe('policy-unreadable');
    expect(JSON.stringify(refusal?.problems)).not.toMatch(/hunter|\\\\h|@/i);
    expect(refusal?.message).not.toMatch(/hunter/i);
  });

  it('refuses a policy document that is not UTF-8', () => {
    expect(refusalOf(Uint8Array.of(0x61, 0x3a, 0x20, 0xff))?.problems).toEqual([
      { path: '', message: 'the text is not UTF-8' },
    ]);
  });

  it.each([
    ['bytes', new Uint8Array(MAX_POLICY_DOCUMENT + 1).fill(0x23)],
    ['characters', '#'.repeat(MAX_POLICY_DOCUMENT + 1)],
    ['characters that are more bytes', `a: ${'ä'.repeat(MAX_POLICY_DOCUMENT / 2)}`],
  ])('refuses a policy document of too many %s', (_, text) => {
    expect(refusalOf(text)?.message).toBe(
      `Cannot read the policy: the text has more than ${MAX_POLICY_DOCUMENT} bytes`,
    );
  });

  it('reads a policy document of 16 levels', () => {
    const text = `${'['.repeat(16)}1${']'.repeat(16)}`;
    expect(readPolicyDocument(text)).toEqual(JSON.parse(text));
  });

  it('reads a policy document of the greatest size', () => {
    const text = 'a: '.padEnd(MAX_POLICY_DOCUMENT, 'x');
    expect(Object.keys(Object(readPolicyDocument(text)))).toEqual(['a']);
  });
});

describe('a hostile text', () => {
  const full = (part: string, end = '') =>
    part.repeat(Math.floor((MAX_POLICY_DOCUMENT - end.length) / part.length)) + end;
  const half = (open: string, close: string) =>
    open.repeat(MAX_POLICY_DOCUMENT / 2) + close.repeat(MAX_POLICY_DOCUMENT / 2);
  const manyKeys = Array.from({ length: 20_000 }, (_, index) => `key${index}: 1`).join('\n');

  it.each([
    ['brackets', half('[', ']')],
    ['braces', full('{')],
    ['mappings in one line', full('a: ')],
    ['lists in one line', full('- ')],
    ['explicit keys', full('? ')],
    ['mappings over lines', full('-\n [')],
    ['commas', full(',')],
    ['quotes', full('"')],
    ['documents', full('---\n')],
    ['empty entries', full('-\n')],
    ['the same key', full('a: 1\n')],
    ['aliases', full('- *a\n')],
  ])('refuses a hostile policy document of %s without delay', (_, text) => {
    expect(refusalOf(text)).toBeInstanceOf(PolicyError);
  });

  it('reads a policy document of 20000 keys without delay', () => {
    expect(Object.keys(Object(readPolicyDocument(manyKeys)))).toHaveLength(20_000);
  });

  const piece = fc.constantFrom(
    ...['a', '1', ': ', '- ', '? ', '\n', ' ', '\t', '[', ']', '{', '}', ',', '"', "'", '|', '>'],
    ...['&x', '*x', '!', '<<', '#', '%', '---', '...', '\\', '~', '\0', '\x1f', '\x02', '\ufeff'],
  );

  it(
    'reads any text as a policy document, or throws a PolicyError',
    async () => {
      const texts = fc.oneof(
        fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
        fc.string({ unit: 'binary' }),
        fc.uint8Array(),
      );
      await fuzz(
        fc.property(texts, (text) => {
          refusalOf(text);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'reads JSON as JSON.parse does, except numbers that are not whole',
    async () => {
      const leaf = fc.oneof(
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.integer().filter((number) => !Object.is(number, -0)),
      );
      const { tree } = fc.letrec((tie) => ({
        tree: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('tree')), tie('mapping')),
        mapping: fc.dictionary(
          fc.string({ maxLength: 20 }).filter((key) => key !== '<<'),
          tie('tree'),
        ),
      }));
      await fuzz(
        fc.property(tree, (value) => {
          expect(readPolicyDocument(JSON.stringify(value))).toEqual(
            JSON.parse(JSON.stringify(value)),
          );
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
