/**
 * What boxes in user-defined networks cannot be.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';

/** What else a box is to be, as far as it and a user-defined network exclude each other. */
export interface BesideNetwork {
  readonly network: BoxDefinition['network'];
  readonly confidential: boolean;
  /** It starts from a memory snapshot. */
  readonly fork: boolean;
}

/**
 * @throws A3sError `unsupported-option` for what boxes in user-defined networks cannot be yet, with
 * the reason
 */
export function checkUserNetwork(asked: BesideNetwork): void {
  if (asked.network !== 'user') return;
  if (asked.confidential) {
    throw refusal('a confidential box', 'its launch spec has no word for such a network');
  }
  if (asked.fork) {
    throw refusal(
      'a fork',
      'its memory has the addresses of the box that was saved',
      'Make the snapshot of a box in the default network.',
    );
  }
}

function refusal(
  what: string,
  why: string,
  remedy = 'Leave that out, or use the default network.',
): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot put ${what} into a user-defined network: ${why}`,
    { remedy },
  );
}
