/**
 * Whether a box's output is kept, for later readers and for the next server.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Box } from '../record/box.ts';
import { hostMay } from '../record/host-may.ts';

export function keepsOutput(box: Pick<Box, 'definition'>): boolean {
  return hostMay(box, 'logs') && box.definition.logging.driver !== 'none';
}

/** @throws A3sError `not-implemented` in Docker's words, for output that is not kept */
export function expectKept({ definition }: Pick<Box, 'definition'>): void {
  if (definition.logging.driver !== 'none') return;
  const message = 'configured logging driver does not support reading';
  throw new A3sError('not-implemented', message, {
    remedy: 'Create the box with another --log-driver; what it writes now can be seen with attach.',
  });
}
