/**
 * Runs work that Ctrl-C ends, with time to clean up.
 *
 * @module
 */
import type { Context } from '../context.ts';
import { exitOnSignals, signalStatus } from './signals.ts';

/** The exit status of `act`, or that of the signal that aborted it. */
export async function interruptible(
  context: Context,
  act: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const aborted = new AbortController();
  let left: NodeJS.Signals | undefined;
  const stop = exitOnSignals(context, (signal) => {
    left ??= signal;
    aborted.abort();
  });
  try {
    return await act(aborted.signal);
  } catch (error) {
    if (left === undefined) throw error;
    return signalStatus(left);
  } finally {
    stop();
  }
}
