import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { A3sError, type ErrorCode } from '../../errors.ts';
import { refusal } from '../../guest/refusal.ts';
import { lackOf } from '../confidential/secrets-lack.ts';
import { exitCodeOf } from './exit-code.ts';

/** The agent's test of the same file is `native/agent/box/process/exitcode_test.go`. */
const { exits } = z
  .object({ exits: z.record(z.string(), z.int()) })
  .parse(
    JSON.parse(
      readFileSync(join(import.meta.dirname, '../../../test/vectors/guest-errors.json'), 'utf8'),
    ),
  );

it.each(Object.entries(exits))(
  'maps the agent’s error %s to the exit code %i, as the agent does',
  (code, exitCode) => {
    const error =
      lackOf(code) !== undefined
        ? new A3sError(code as ErrorCode, 'they did not come')
        : refusal('POST /v1/processes/main/start', 422, { error: { code, message: 'no' } });
    expect(exitCodeOf(error)).toBe(exitCode);
  },
);

it('maps an unexpected error to Docker’s exit code 128', () => {
  expect(exitCodeOf(new Error('no'))).toBe(128);
});
