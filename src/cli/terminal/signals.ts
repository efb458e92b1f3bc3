/**
 * Passes signals of this process to the box.
 *
 * @module
 */
import { constants } from 'node:os';
import { type Client, segment } from '../client/client.ts';
import type { Context } from '../context.ts';

/** The signals that Docker passes on. Those of job control stop this process, not the box. */
export const PROXIED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTERM',
  'SIGALRM',
];

/**
 * A box that ignores its signals must not block the user: the third signal ends this command, as
 * Docker's does.
 */
const MOST_SIGNALS = 3;

/** @returns the function that stops it */
export function proxySignals(
  context: Context,
  client: Client,
  id: string,
  giveUp: (signal: NodeJS.Signals) => void,
): () => void {
  let urgent = 0;
  const subscription = context.onSignals(PROXIED, (signal) => {
    if ((signal === 'SIGINT' || signal === 'SIGTERM') && ++urgent >= MOST_SIGNALS) {
      giveUp(signal);
      return;
    }
    // The box may have ended meanwhile; then its exit status is reported.
    client
      .json({ method: 'POST', path: `/containers/${segment(id)}/kill`, query: { signal } })
      .catch(() => undefined);
  });
  return () => subscription[Symbol.dispose]();
}

/**
 * For attached streams without a target for signals: the first one closes the stream, so that the
 * terminal is restored.
 *
 * @returns the function that stops it
 */
export function exitOnSignals(
  context: Context,
  giveUp: (signal: NodeJS.Signals) => void,
): () => void {
  const subscription = context.onSignals(PROXIED, giveUp);
  return () => subscription[Symbol.dispose]();
}

/** The exit status of a command that a signal ended. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
