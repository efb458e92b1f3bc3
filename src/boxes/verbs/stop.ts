/**
 * Stops a box.
 *
 * @module
 */
import { endOrphaned, type OrphanHost } from '../adopt/orphaned.ts';
import { stopSignalOf } from '../record/box.ts';
import { mayHaveVm } from '../record/states.ts';
import { publish } from '../services/publish.ts';
import { parseSignal, signalNumber } from '../spec/signal.ts';
import {
  checkSignal,
  DEFAULT_STOP_SECONDS,
  endByKill,
  endsOn,
  endWait,
  type SignalHost,
  startEnded,
} from './main-signals.ts';

/** What a stop needs of the server: it ends orphaned boxes as well. */
export type StopHost = SignalHost & OrphanHost;

export interface StopOptions {
  /** Sent instead of the box's own stop signal. */
  readonly signal?: string | undefined;
  /** Seconds until SIGKILL; negative: no limit. */
  readonly timeoutSeconds?: number | undefined;
  /** The box is needed afterwards, also where it is removed at its end. */
  readonly keep?: boolean | undefined;
}

/**
 * Sends the stop signal to the main process. After the timeout it sends SIGKILL, and ends the
 * microVM when that does not help either. A box that waits for its restart no longer waits. Its
 * policy rests until a user starts the box.
 *
 * @returns false when the box does not run
 * @throws A3sError `invalid-argument` for the signal; nothing was changed
 */
export async function stopBox(rt: StopHost, id: string, options: StopOptions): Promise<boolean> {
  const asked = options.signal === undefined ? undefined : parseSignal(options.signal);
  if (asked !== undefined) checkSignal(rt.store.expect(id), asked);
  const { definition } = rt.store.expect(id);
  const seconds = options.timeoutSeconds ?? definition.stopTimeout ?? DEFAULT_STOP_SECONDS;
  const timeout = seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
  await startEnded(rt, id, timeout);
  rt.restarts.drop(id);
  if (endWait(rt, id, 'stop')) return true;
  const running = rt.running.get(id);
  if (running === undefined) return await stopOrphaned(rt, id);
  running.kept ||= options.keep === true;
  const box = rt.store.amend(id, { stopRequested: true });
  const signal = asked ?? stopSignalOf(definition);
  publish(rt, box, 'kill', { signal: signalNumber(signal) });
  if (!(await endsOn(rt, running, signal, timeout))) {
    publish(rt, box, 'kill', { signal: signalNumber('SIGKILL') });
    await endByKill(rt, running);
  }
  publish(rt, rt.store.get(id) ?? box, 'stop');
  return true;
}

/**
 * A box that could not be taken over or ended: its remaining processes end now. False when it does
 * not run.
 */
async function stopOrphaned(rt: OrphanHost, id: string): Promise<boolean> {
  const box = rt.store.get(id);
  if (box === undefined || !mayHaveVm(box.state.status)) return false;
  return await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const running = rt.running.get(id);
    if (running === undefined && !mayHaveVm(box.state.status)) return true;
    // A start by its policy may have come first. The policy must not start the box again.
    const asked = rt.store.amend(id, { stopRequested: true });
    if (running !== undefined) await endByKill(rt, running);
    else await endOrphaned(rt, asked, '');
    return true;
  });
}
