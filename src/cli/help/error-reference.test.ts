import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ERRORS } from '../../errors.ts';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { errorReference } from './error-reference.ts';
import { REGENERATE } from './reference.ts';

const DOCS = join(import.meta.dirname, '../../../docs');

it('docs/errors.md matches the table of error codes', () => {
  const differs = readFileSync(join(DOCS, 'errors.md'), 'utf8') !== errorReference();
  expect(differs, `docs/errors.md is out of date: make it again with ${REGENERATE}`).toBe(false);
});

it.each(Object.entries(ERRORS))('explains meaning and remedy of %s in one cell each', (_, row) => {
  for (const text of [row.meaning, row.remedy]) expect(text).toMatch(/^[A-Z`][^|\n]*\.$/);
});

it('names only existing commands', () => {
  const named = [...errorReference().matchAll(/`a3s-box ([a-z-]+)(?: ([a-z-]+))?[^`]*`/g)];
  expect(named.length).toBeGreaterThan(10);
  for (const [text, name = '', verb] of named) {
    const commands = GROUPS[name]?.commands;
    const known =
      commands === undefined ? name in COMMANDS : verb !== undefined && verb in commands;
    expect(known, text).toBe(true);
  }
});
