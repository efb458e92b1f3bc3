/**
 * Deadlines whose error names what was not done in time.
 *
 * @module
 */
import { A3sError, type ErrorCode } from '../errors.ts';

/**
 * A signal that aborts with an `A3sError` after `milliseconds`. It does not keep the process alive.
 */
export function deadline(milliseconds: number, code: ErrorCode, what: string): AbortSignal {
  const controller = new AbortController();
  const error = new A3sError(code, `${what} within ${milliseconds / 1000} s`);
  setTimeout(() => controller.abort(error), milliseconds).unref();
  return controller.signal;
}

/** Rejects with the signal's reason, once there is one. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
