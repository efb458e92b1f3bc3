/**
 * The table of error codes, in the order of their HTTP statuses; those of the secret broker follow.
 * Each file has the rows of some.
 *
 * @module
 */
import type { ErrorRow } from './error-row.ts';
import { BAD_REQUEST } from './error-rows/bad-request.ts';
import { BROKER } from './error-rows/broker.ts';
import { CONFLICT } from './error-rows/conflict.ts';
import { FORBIDDEN } from './error-rows/forbidden.ts';
import { NOT_FOUND } from './error-rows/not-found.ts';
import { SERVER_ERROR } from './error-rows/server-error.ts';
import { TOO_MUCH } from './error-rows/too-much.ts';

export const ERROR_ROWS = {
  ...BAD_REQUEST,
  ...FORBIDDEN,
  ...NOT_FOUND,
  ...CONFLICT,
  ...TOO_MUCH,
  ...SERVER_ERROR,
  ...BROKER,
} as const satisfies Record<string, ErrorRow>;
