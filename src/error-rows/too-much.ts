/**
 * Error codes with the HTTP statuses 413 and 429: too large, or too often.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const TOO_MUCH = {
  'too-large': {
    status: 413,
    meaning: 'A document, image or answer is larger than is read.',
    remedy: 'Make it smaller; the message says how large it may be.',
  },
  'registry-rate-limited': {
    status: 429,
    meaning: 'The registry was asked too often.',
    remedy: 'Try again later; logging in may raise the limit.',
  },
  'ratls-busy': {
    status: 429,
    meaning: 'The box has as many RA-TLS connections as it may.',
    remedy: 'Try again in a few seconds, or publish its port with `-p PORT:ratls`.',
  },
  'streams-busy': {
    status: 429,
    meaning: 'As many streams of Kubernetes wait for their clients as may.',
    remedy: 'Try again in a minute.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
