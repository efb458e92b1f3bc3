/**
 * What the launch spec of a confidential box does not permit: a part of the table of error codes.
 *
 * @module
 */
import type { ErrorRow } from './error-row.ts';

export const CONFIDENTIAL_REFUSALS = {
  'host-not-permitted': {
    status: 403,
    lasting: true,
    meaning: 'The launch spec of a confidential box does not let the host do this.',
    remedy: 'Create the box with `--host-may`. A verifier of the box sees this permission.',
  },
  'sealing-not-permitted': {
    status: 403,
    lasting: true,
    meaning: 'The launch spec of a confidential box does not permit sealing from outside.',
    remedy: 'Create the box with `--sealing` and `--sealer`. A verifier of the box sees both.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
