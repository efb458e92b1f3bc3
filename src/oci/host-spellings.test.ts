/**
 * The table of spellings in `docs/image-policy.md`, held against the names that are taken.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalName, parseReference } from './reference.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/image-policy.md');

const section = /^### Spellings of a host$([\s\S]*?)^## /m.exec(readFileSync(DOCUMENT, 'utf8'));
const ROWS = [...(section?.[1] ?? '').matchAll(/^\| (`.*`) \| (.*) \|$/gm)].flatMap(
  ([, names = '', outcome = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => ({ name, outcome })),
);

const withOutcome = (start: string) => ROWS.filter(({ outcome }) => outcome.startsWith(start));

describe('a spelling of a host', () => {
  it.each(withOutcome('refused: '))('is refused in $name, since $outcome', ({ name }) => {
    expect(() => parseReference(name)).toThrow(
      expect.objectContaining({ code: 'invalid-reference' }),
    );
  });

  it.each(withOutcome('refused: it is written '))('has another one for $name', ({ name }) => {
    expect(() => parseReference(name)).toThrow(/: its host is written docker\.io$/);
  });

  it.each(withOutcome('taken'))('is taken in $name', ({ name }) => {
    expect(canonicalName(parseReference(name))).toBe(name);
  });

  it.each(withOutcome('read as '))('in $name is $outcome', ({ name, outcome }) => {
    expect(`read as \`${canonicalName(parseReference(name))}\``).toBe(outcome);
  });

  it('has one of these outcomes in every row', () => {
    expect(ROWS.length).toBeGreaterThan(45);
    const known = ['refused: ', 'taken', 'read as '].flatMap(withOutcome);
    expect(known).toHaveLength(ROWS.length);
  });
});
