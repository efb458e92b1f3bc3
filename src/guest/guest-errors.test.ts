import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { GUEST_ERRORS } from './guest-errors.ts';

/**
 * The agent's tests of the same file are in `native/agent/server` and `native/agent/box/process`.
 */
const { answers } = z
  .object({ answers: z.record(z.string(), z.int()) })
  .parse(
    JSON.parse(
      readFileSync(join(import.meta.dirname, '../../test/vectors/guest-errors.json'), 'utf8'),
    ),
  );

/** The table of `docs/development/guest-protocol.md` below "## Errors". */
function documented(): Record<string, number> {
  const text = readFileSync(
    join(import.meta.dirname, '../../docs/development/guest-protocol.md'),
    'utf8',
  );
  const [, section = ''] = text.split('\n## Errors\n');
  const rows = (section.split('\n## ')[0] ?? '').matchAll(/^\| `([a-z-]+)` *\| (\d{3}) /gm);
  return Object.fromEntries([...rows].map(([, code = '', status]) => [code, Number(status)]));
}

it('maps every error code of the agent to the HTTP status of the agent', () => {
  const statuses = Object.entries(GUEST_ERRORS).map(([code, { status }]) => [code, status]);
  expect(Object.fromEntries(statuses)).toEqual(answers);
});

it('documents every error code of the agent with its status', () => {
  expect(documented()).toEqual(answers);
});
