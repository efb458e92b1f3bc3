/**
 * Ends the wait for a peer: by the caller's signal, or by a timeout.
 *
 * @module
 */
import { RatlsError } from '../errors.ts';

/** Fires with whichever comes first. */
export function deadline(milliseconds: number, signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(milliseconds);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

/** Why a signal fired. */
export function interruption({ reason }: AbortSignal): RatlsError {
  if (reason instanceof DOMException && reason.name === 'TimeoutError') {
    return new RatlsError('timeout', 'Cannot go on: the peer takes longer than it may.', {
      remedy: 'Try again; if the box is busy, give it more time.',
      cause: reason,
    });
  }
  return new RatlsError('aborted', 'Cannot go on: it was called off.', { cause: reason });
}
