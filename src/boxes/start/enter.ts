/**
 * Adds the microVM of a start to the running ones, also while the server or the host ends.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';

/**
 * Whether a start that fails now fails because the server or the host ends, which is no failure of
 * the box.
 */
export function isInterrupted(rt: Pick<RunServices, 'restarts' | 'shutdown'>): boolean {
  return rt.shutdown.aborted || rt.restarts.held;
}

/** @throws A3sError `conflict` while the host goes down: nothing is started any more */
export function expectHostStays({ restarts }: Pick<RunServices, 'restarts'>): void {
  if (!restarts.held) return;
  throw new A3sError('conflict', 'Cannot start the box: the host goes down', {
    remedy: 'Start it when the host is up again.',
  });
}

/**
 * Adds the microVM of a start to the running ones. A server that stops releases it. When the host
 * shuts down it is ended, since the stop of the running boxes did not include it.
 */
export async function enter(
  rt: Pick<RunServices, 'running' | 'restarts' | 'shutdown'>,
  running: RunningBox,
): Promise<void> {
  rt.running.add(running);
  if (rt.shutdown.aborted) await running.release();
  else if (rt.restarts.held) await running.vm.kill();
}
