/**
 * Compares the table of host spellings in `docs/image-policy.md` with the references that parse.
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
  it.each(withOutcome('refused: '))('refuses the reference $name, since $outcome', ({ name }) => {
    expect(() => parseReference(name)).toThrow(
      expect.objectContaining({ code: 'invalid-reference' }),
    );
  });

  it.each(withOutcome('refused: it is written '))(
    'refuses the reference $name, whose host has another spelling',
    ({ name }) => {
      expect(() => parseReference(name)).toThrow(/: its host is written docker\.io$/);
    },
  );

  it.each(withOutcome('taken'))('accepts the reference $name unchanged', ({ name }) => {
    expect(canonicalName(parseReference(name))).toBe(name);
  });

  it.each(withOutcome('read as '))(
    'parses the reference $name as documented: $outcome',
    ({ name, outcome }) => {
      expect(`read as \`${canonicalName(parseReference(name))}\``).toBe(outcome);
    },
  );

  it('documents one of the known outcomes in every row', () => {
    expect(ROWS.length).toBeGreaterThan(45);
    const known = ['refused: ', 'taken', 'read as '].flatMap(withOutcome);
    expect(known).toHaveLength(ROWS.length);
  });
});
