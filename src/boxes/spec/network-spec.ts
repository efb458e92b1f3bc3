/**
 * What boxes in user-defined networks cannot be.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';

/**
 * @param network that of the box whose memory was saved
 * @throws A3sError `unsupported-option`
 */
export function checkForkNetwork(network: BoxDefinition['network']): void {
  if (network !== 'user') return;
  throw new A3sError(
    'unsupported-option',
    'Cannot put a fork into a user-defined network: its memory has the addresses of the box that was saved',
    { remedy: 'Make the snapshot of a box in the default network.' },
  );
}
