/**
 * Signals to the main process of a box, and what ends it when it takes none.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import { MAIN } from '../../guest/protocol.ts';
import { type Box, stopSignalOf } from '../record/box.ts';
import { expectPermission } from '../record/host-may.ts';
import { mayHaveVm } from '../record/states.ts';
import { type FreezeHost, thaw } from '../run/frozen.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { isKill, signalNumber } from '../spec/signal.ts';
import { endStart } from '../supervise/end-start.ts';

/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;
/** Time for the stop signal to end the main process, where neither box nor user says another. */
export const DEFAULT_STOP_SECONDS = 10;
const SIGNAL_ATTEMPTS = 5;
/** Time for SIGKILL to end the main process. After it the microVM is ended. */
export const KILL_MS = 10_000;

/** What a signal needs of the server: it resumes a paused box. */
export type SignalHost = FreezeHost & Pick<RunServices, 'locks' | 'running'>;

/** Ending a box needs no permission. @throws A3sError `host-not-permitted` */
export function checkSignal(box: Box, signal: string): void {
  if (isKill(signal) || signalNumber(signal) === signalNumber(stopSignalOf(box.definition))) return;
  expectPermission(box, `send ${signal} to`, 'signals');
}

/**
 * A start, or an adoption, that is under way comes first; a start that takes longer than this ends.
 */
export async function startEnded(
  rt: Pick<RunServices, 'store' | 'running' | 'locks'>,
  id: string,
  timeout: number,
): Promise<void> {
  const { status } = rt.store.expect(id).state;
  const notReady = status === 'starting' || (mayHaveVm(status) && rt.running.get(id) === undefined);
  if (notReady) {
    const turn = rt.locks.run(id, async () => undefined);
    const ended = !(await inTime(turn, timeout)) && (await endStart(rt, id));
    await turn;
    // A box that is removed at its end is gone, as was asked.
    if (ended) return;
  }
  rt.store.expect(id);
}

/** Whether it waited for a start by its policy. Nothing is between the question and its answer. */
export function endWait(
  rt: Pick<Services, 'store' | 'events'>,
  id: string,
  action: string,
): boolean {
  if (rt.store.get(id)?.state.status !== 'restarting') return false;
  const change = { stopRequested: true, restartAt: undefined, restartDelayMs: undefined };
  publish(rt, rt.store.advance(id, 'give-up', change), action);
  return true;
}

/** Ends the main process, or the microVM when that does not help. */
export async function endByKill(rt: FreezeHost, running: RunningBox): Promise<void> {
  if (await endsOn(rt, running, 'SIGKILL', KILL_MS)) return;
  await running.vm.kill();
  await running.finished;
}

/**
 * Whether the signal ended the box in time; false at once when the agent does not take the signal.
 */
export async function endsOn(
  rt: FreezeHost,
  running: RunningBox,
  signal: string,
  milliseconds: number,
): Promise<boolean> {
  const ended = inTime(running.finished, milliseconds);
  const signalled = signalMain(running, signal)
    .then(() => thaw(rt, running))
    .then(
      () => ended,
      (error: unknown) => {
        rt.log.error('a box did not take a signal', error, { box: running.id, signal });
        return false;
      },
    );
  return await Promise.race([ended, signalled]);
}

/** Uses a new connection where the old one was lost. Gives up on an agent that keeps failing. */
export async function signalMain(running: RunningBox, signal: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await (await running.guest()).signal(MAIN, signal);
    } catch (error) {
      // The box ended in between, as was wanted.
      if (running.vmExit !== undefined) return;
      const { code = 'internal' } = error instanceof A3sError ? error : {};
      if (code === 'conflict') return;
      if (code !== 'agent-failed' || attempt === SIGNAL_ATTEMPTS) throw error;
    }
  }
}

/** Whether it settles in time. */
async function inTime(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  if (milliseconds === Number.POSITIVE_INFINITY) {
    await promise;
    return true;
  }
  const timer = new AbortController();
  try {
    return await Promise.race([
      promise.then(() => true),
      delay(Math.min(milliseconds, MAX_DELAY_MS), false, {
        signal: timer.signal,
        ref: false,
      }),
    ]);
  } finally {
    timer.abort();
  }
}
