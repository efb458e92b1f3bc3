/**
 * `CheckpointContainer`, which this runtime does not have.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Kubelet and test suites know by the status of `not-implemented` that there is none. */
export function checkpointContainer(): never {
  throw new A3sError(
    'not-implemented',
    'Cannot checkpoint a container: the processes of a pod are saved with its microVM, or not at all',
    { remedy: 'Keep what has to last in a volume.' },
  );
}
