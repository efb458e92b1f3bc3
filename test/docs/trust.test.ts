/**
 * docs/trust.md against the code: no code that users meet is left out, and none is made up.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The codes in the first column of the table that follows a line. */
function tableAfter(line: string): readonly string[] {
  const [, rest = ''] = read('docs/trust.md').split(line);
  const rows = rest.split('\n\n')[1]?.split('\n').slice(2) ?? [];
  return rows.flatMap((row) =>
    [...(row.split(' | ')[0] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code),
  );
}

describe('docs/trust.md', () => {
  it('docs/trust.md lists every problem of a signature once', () => {
    const [type = ''] =
      /export type ProblemCode =[^;]*;/.exec(read('src/trust/artifact/problem.ts')) ?? [];
    const codes = [...type.matchAll(/'([a-z-]+)'/g)].map(([, code = '']) => code);
    expect(codes.length).toBeGreaterThan(20);
    expect([...tableAfter('has a problem, with a code:')].sort()).toEqual(codes.sort());
  });

  it('docs/trust.md names only existing error codes, and all about policies and registries', () => {
    const known = Object.keys(ERRORS);
    const named = tableAfter('nothing boots.');
    expect(named.filter((code) => !known.includes(code))).toEqual([]);
    const wanted = known.filter((code) => /registry|policy|untrusted|^key-/.test(code));
    expect(wanted.filter((code) => !named.includes(code))).toEqual([]);
  });
});
