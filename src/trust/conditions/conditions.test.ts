import { readFileSync } from 'node:fs';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { parseImagePolicy } from '@a3s-box/policies/image-policy';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { celJson } from './cel-values.ts';
import { compileCondition, conditionFault } from './conditions.ts';
import { EvaluationTime } from './evaluation-time.ts';

const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'registry.example/app', digest: { sha256: 'ab' } }],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {
    x: [1, 2, 3, 4],
    count: 3,
    score: 7.5,
    large: 2 ** 60,
    name: 'builder',
    empty: null,
    yes: true,
    digests: [{ digest: { sha256: 'aa' } }, { digest: { sha256: 'bb' } }],
    time: '2026-11-25T00:00:00Z',
    constructor: 'own',
  },
};

function yamlOf(markdown: string, index: number): string {
  return [...markdown.matchAll(/^```yaml\n(.*?)^```$/gms)][index]?.[1] ?? '';
}

const failureOf = (text: string, statement: unknown = STATEMENT): string | undefined =>
  compileCondition(text).failure(statement, new EvaluationTime(4000));

function faultOf(text: string): string {
  try {
    compileCondition(text);
  } catch (error) {
    return conditionFault(error);
  }
  return '';
}

describe('a condition', () => {
  it.each([
    'size(predicate.x) > 3',
    'predicate.x.size() == 4',
    'predicate.count == 3',
    'predicate.count == 3.0',
    'predicate.count + 1 == 4',
    'predicate.count > 2.5',
    'predicate.score > 7',
    'predicate.score + 0.5 == 8.0',
    'predicate.large > 1.0',
    'predicate.name == "builder"',
    'predicate.name.startsWith("build") && predicate.name.matches("^[a-z]+$")',
    'predicate.empty == null',
    'predicate.yes',
    'predicate["yes"]',
    'predicate.x.all(n, n < 5) && predicate.x.exists(n, n == 2) && predicate.x.exists_one(n, n == 2)',
    'predicate.x.filter(n, n > 2).map(n, n * 2) == [6, 8]',
    'predicate.digests.all(d, d.digest.exists(k, k == "sha256"))',
    'has(predicate.name) && !has(predicate.other)',
    '"name" in predicate',
    'predicateType == statement.predicateType',
    'subject.exists(s, s.name == "registry.example/app")',
    'timestamp(predicate.time) > timestamp("2026-01-01T00:00:00Z")',
    'predicate.count > 2 ? predicate.yes : false',
    'type(predicate.name) == string',
    'dyn(predicate.yes)',
    'predicate.constructor == "own"',
    'true',
  ])('evaluates the condition %s to true', (text) => {
    expect(failureOf(text)).toBeUndefined();
  });

  it.each([
    ['predicate.count == 4', 'it is false'],
    ['predicate.name', 'it gives a string, and not true or false'],
    ['predicate.count', 'it gives a number, and not true or false'],
    ['predicate', 'it gives a map, and not true or false'],
    ['predicate.x', 'it gives a list, and not true or false'],
    ['predicate.empty', 'it gives null, and not true or false'],
    ['predicate.other == 1', 'it cannot be evaluated: field not found: other'],
    ['predicate.toString == 1', 'it cannot be evaluated: field not found: toString'],
    ['predicate.name.matches("(")', 'it cannot be evaluated: error parsing regexp'],
    ['predicate.name > 1', 'it cannot be evaluated: found no matching overload'],
    ['predicate.count / 0 == 1', 'it cannot be evaluated: int divide by zero'],
  ])('fails the condition %s with the reason: %s', (text, reason) => {
    expect(failureOf(text)).toContain(reason);
  });

  it.each([
    ['predicate.x >', 'expecting'],
    ['', 'expecting'],
    ['predicat.x == 1', 'it knows no variable "predicat"'],
    ['true || predicat.x == 1', 'it knows no variable "predicat"'],
    ['predicate.x.all(n, m == 1)', 'it knows no variable "m"'],
    ['predicate.x.all(n, n == 1) && n == 1', 'it knows no variable "n"'],
    ['__proto__ == 1', 'it knows no variable "__proto__"'],
    ['{"a": b} == {}', 'it knows no variable "b"'],
    ['length(predicate.x) == 1', 'it knows no function "length"'],
    ['predicate.name.toLower() == "a"', 'it knows no function "toLower"'],
    ['google.protobuf.Duration{} == predicate', 'it builds a message, "google.protobuf.Duration"'],
    ['size(predicate.x)', 'it gives something else than true or false'],
    ['"true"', 'it gives something else than true or false'],
    ['1 + predicate.count', 'it gives something else than true or false'],
    ['[true]', 'it gives something else than true or false'],
    ['predicate.x.map(n, n == 1)', 'it gives something else than true or false'],
    ['predicate.yes ? true : 1', 'it gives something else than true or false'],
    ['string', 'it gives something else than true or false'],
    ['predicate.score < 1e999', 'it has a number that is not finite'],
    ['predicate.x.all(n, n > -1e400)', 'it has a number that is not finite'],
    ['[1e309] == predicate.x', 'it has a number that is not finite'],
    ['{1e309: 1} == predicate', 'it has a number that is not finite'],
  ])('refuses to compile the condition %s', (text, fault) => {
    expect(faultOf(text)).toContain(fault);
  });

  it('refuses to compile a condition of more than 4096 characters', () => {
    expect(faultOf('true'.padEnd(5000))).toContain('it is longer than 4096 characters');
  });

  it('refuses to compile a condition that is nested too deeply', () => {
    const text = `${'('.repeat(2000)}true${')'.repeat(2000)}`;
    expect(faultOf(text)).toContain('it is nested too deeply');
  });

  it('shows only conditions in the documentation that hold for the documented statements', () => {
    const path = new URL('../../../docs/image-policy.md', import.meta.url);
    const { images } = parseImagePolicy(readPolicyDocument(yamlOf(readFileSync(path, 'utf8'), 1)));
    const conditions = images.flatMap((rule) =>
      'require' in rule ? (rule.require[0]?.attestation?.conditions ?? []) : [],
    );
    const predicate = {
      runDetails: { builder: { id: 'https://builder.example/v2' } },
      buildDefinition: { resolvedDependencies: [{ digest: { sha256: 'aa' } }] },
      metadata: { scanFinishedOn: '2026-11-20T10:00:00Z' },
      scanner: { result: { vulnerabilities: [{ severity: 'LOW' }] } },
    };
    expect(conditions).toHaveLength(4);
    for (const text of conditions) expect(failureOf(text, { predicate })).toBeUndefined();
  });

  it('refuses a condition that converts to bytes, whose memory is not bounded', () => {
    expect(faultOf('size(predicate.x.map(a, bytes(predicate.name))) > 3')).toBe(
      'it makes bytes, and a statement has none',
    );
    expect(faultOf('type(predicate.name) != bytes')).toBe('');
  });

  it('stops a condition that takes too long, and evaluates the next one', () => {
    const numbers = Array.from({ length: 200_000 }, (_, at) => at);
    const large = { ...STATEMENT, predicate: { x: numbers } };
    expect(failureOf('predicate.x.all(a, predicate.x.all(b, a + b >= 0))', large)).toBe(
      'it cannot be evaluated: it takes too long, and was stopped',
    );
    expect(failureOf('size(predicate.x) == 200000', large)).toBeUndefined();
  });

  it('fails a condition once earlier conditions have used up the shared time', () => {
    const numbers = Array.from({ length: 200_000 }, (_, at) => at);
    const large = { ...STATEMENT, predicate: { x: numbers } };
    const time = new EvaluationTime(100);
    const slow = compileCondition('predicate.x.all(a, predicate.x.all(b, a + b >= 0))');
    expect(slow.failure(large, time)).toMatch(/it takes too long, and was stopped/);
    expect(compileCondition('true').failure(STATEMENT, time)).toBe(
      'it cannot be evaluated: the conditions of this decision have taken their 0.1 seconds',
    );
  });

  it.each<[string, unknown, string]>([
    ['a missing value', { predicate: undefined }, 'a value of the type undefined'],
    ['a function', { predicate: () => 1 }, 'a value of the type function'],
    ['a number that is not finite', { predicate: JSON.parse('[1e999]') }, 'a number that is not'],
    ['no number at all', { predicate: Number.NaN }, 'a number that is not finite'],
    ['too much text', { predicate: 'x'.repeat(16 * 1024 * 1024 + 1) }, 'more than 16777216 char'],
    ['too many values', { predicate: Array(500_001).fill(0) }, 'more than 500000 values'],
    [
      'many levels',
      { predicate: JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) },
      'deeper than 64 levels',
    ],
  ])('fails every condition on a statement of %s', (_, statement, reason) => {
    expect(failureOf('true || predicate == 1', statement)).toContain(reason);
  });

  it('fails a condition on a statement that is no mapping', () => {
    const { failure } = compileCondition('true');
    for (const statement of [undefined, null, 7, 'x', []]) {
      expect(failure(statement, new EvaluationTime(4000))).toMatch(
        /^it cannot be evaluated: the statement is no mapping/,
      );
    }
  });

  it(
    'never throws for a statement, whatever it is',
    () => {
      const condition = compileCondition(
        'predicate.a.b[0] > 1 || predicate.a.exists(k, k == "x") || predicate.a + 1 == 2',
      );
      fuzz(
        fc.property(fc.jsonValue({ maxDepth: 4 }), (predicate) => {
          expect(['string', 'undefined']).toContain(
            typeof condition.failure({ predicate }, new EvaluationTime(4000)),
          );
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'throws only an Error for the text of a condition, whatever it is',
    () => {
      const words = fc.constantFrom(
        ...['predicate', '.', 'x', '(', ')', '[', ']', '{', '}', '&&', '!', '1', '"a"', 'all'],
        ...[' ', ',', '?', ':', '==', 'has', '\u0000', '\\', "'"],
      );
      fuzz(
        fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
          try {
            compileCondition(parts.join('')).failure(STATEMENT, new EvaluationTime(4000));
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

describe('celJson', () => {
  it('converts JSON to CEL values with whole numbers as integers', () => {
    expect(celJson({ a: [1, 1.5, -0, 2 ** 53, null, 'x', true] })).toEqual(
      new Map([['a', [1n, 1.5, 0n, 2 ** 53, null, 'x', true]]]),
    );
  });
});
