import { describe, expect, it } from 'vitest';
import { differingFields } from './spec-differences.ts';

describe('differingFields', () => {
  it.each([
    [1, 1, []],
    [{ a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }, []],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, []],
    ['a', 'b', [['', '"a"', '"b"']]],
    [{ a: { b: 1 } }, { a: { b: 2 } }, [['a.b', '1', '2']]],
    [{ env: ['A=1', 'B=2'] }, { env: ['A=1', 'B=3'] }, [['env[1]', '"B=2"', '"B=3"']]],
    [{ env: ['A=1'] }, { env: ['A=1', 'B=3'] }, [['env[1]', undefined, '"B=3"']]],
    [{ a: 1 }, {}, [['a', '1', undefined]]],
    [{}, { a: [] }, [['a', undefined, '[]']]],
    [{ a: [] }, { a: {} }, [['a', '[]', '{}']]],
    [{}, JSON.parse('{"__proto__":{"x":1}}'), [['__proto__', undefined, '{"x":1}']]],
    [
      { confinement: { seccomp: 'default' } },
      { confinement: { seccomp: 'profile', seccompProfile: { x86: true } } },
      [
        ['confinement.seccomp', '"default"', '"profile"'],
        ['confinement.seccompProfile', undefined, '{"x86":true}'],
      ],
    ],
    [
      { b: 1, a: 1 },
      { b: 2, a: 2 },
      [
        ['a', '1', '2'],
        ['b', '1', '2'],
      ],
    ],
  ])('finds the differing fields of %j and %j', (expected, actual, differences) => {
    const found = differingFields(expected, actual);
    expect(found.map((each) => [each.path, each.expected, each.actual])).toEqual(differences);
  });
});
