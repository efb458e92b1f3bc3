/**
 * Stopping a box, and sending it signals.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../errors.ts';
import { MAIN } from '../guest/protocol.ts';
import type { Box } from './box.ts';
import { expectPermission } from './confidential/host-may.ts';
import { endStart } from './end-start.ts';
import type { LiveBox } from './live.ts';
import { notRunning } from './live.ts';
import { endLost } from './lost.ts';
import { publish, type Runtime } from './runtime.ts';
import { isKill, parseSignal, signalNumber } from './signal.ts';
import { isLive } from './states.ts';

const DEFAULT_TIMEOUT_SECONDS = 10;
/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;
/** Time for SIGKILL to reach the main process, before its machine is ended instead. */
const KILL_MS = 10_000;

export interface StopOptions {
  /** Instead of the box's own. */
  readonly signal?: string | undefined;
  /** Seconds until SIGKILL; negative waits for ever. */
  readonly timeoutSeconds?: number | undefined;
}

/**
 * Asks the main process to end, ends it when it does not, and its machine when that is of no avail either.
 *
 * @returns false when it does not run
 * @throws A3sError `invalid-argument` for the signal; nothing was changed
 */
export async function stopBox(rt: Runtime, id: string, options: StopOptions): Promise<boolean> {
  const asked = options.signal === undefined ? undefined : parseSignal(options.signal);
  if (asked !== undefined) checkSignal(rt.store.expect(id), asked);
  const { definition } = rt.store.expect(id);
  const seconds = options.timeoutSeconds ?? definition.stopTimeout ?? DEFAULT_TIMEOUT_SECONDS;
  const patience = seconds < 0 ? MAX_DELAY_MS : seconds * 1000;
  await settled(rt, id, patience);
  const live = rt.live.get(id);
  if (live === undefined) return await stopLost(rt, id);
  const box = rt.store.amend(id, { stopRequested: true });
  if (!(await endsOn(rt, live, asked ?? definition.stopSignal, patience))) await end(rt, live);
  publish(rt, rt.store.get(id) ?? box, 'stop');
  return true;
}

/** A box that nobody could take over or end: what is left of it ends now. False when it does not run. */
async function stopLost(rt: Runtime, id: string): Promise<boolean> {
  const box = rt.store.get(id);
  if (box === undefined || !isLive(box.state.status)) return false;
  return await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const live = rt.live.get(id);
    if (live !== undefined) await end(rt, live);
    else if (isLive(box.state.status)) {
      await endLost(rt, rt.store.amend(id, { stopRequested: true }), '');
    }
    return true;
  });
}

/**
 * Sends a signal to the main process; after SIGKILL the box is gone when this returns.
 *
 * @throws A3sError `box-not-running`, `invalid-argument`
 */
export async function killBox(rt: Runtime, id: string, name: string): Promise<void> {
  const signal = parseSignal(name);
  checkSignal(rt.store.expect(id), signal);
  await settled(rt, id, isKill(signal) ? 0 : MAX_DELAY_MS);
  const live = rt.live.expect(id);
  if (isKill(signal)) {
    const box = rt.store.amend(id, { stopRequested: true });
    publish(rt, box, 'kill', { signal: signalNumber(signal) });
    return await end(rt, live);
  }
  const box = rt.store.expect(id);
  if (box.state.status === 'stopping') throw notRunning(id);
  await signalMain(live, signal);
  publish(rt, box, 'kill', { signal: signalNumber(signal) });
}

/** Ending a box needs no permission. @throws A3sError `host-not-permitted` */
function checkSignal(box: Box, signal: string): void {
  if (isKill(signal) || signalNumber(signal) === signalNumber(box.definition.stopSignal)) return;
  expectPermission(box, `send ${signal} to`, 'signals');
}

/** A start, or an adoption, that is under way comes first; a start that takes longer than this ends. */
async function settled(rt: Runtime, id: string, patience: number): Promise<void> {
  const { status } = rt.store.expect(id).state;
  const unsettled = status === 'starting' || (isLive(status) && rt.live.get(id) === undefined);
  if (unsettled) {
    const turn = rt.locks.run(id, async () => undefined);
    const ended = !(await inTime(turn, patience)) && (await endStart(rt, id));
    await turn;
    // One that was to be removed at its end is gone, as was asked.
    if (ended) return;
  }
  rt.store.expect(id);
}

async function end(rt: Runtime, live: LiveBox): Promise<void> {
  if (await endsOn(rt, live, 'SIGKILL', KILL_MS)) return;
  await live.machine.kill();
  await live.finished;
}

/** Whether a signal ended the box in time; false at once when an agent does not take it. */
async function endsOn(
  rt: Runtime,
  live: LiveBox,
  signal: string,
  milliseconds: number,
): Promise<boolean> {
  const ended = inTime(live.finished, milliseconds);
  const told = signalMain(live, signal).then(
    () => ended,
    (error: unknown) => {
      rt.log.error('a box did not take a signal', error, { box: live.id, signal });
      return false;
    },
  );
  return await Promise.race([ended, told]);
}

async function signalMain(live: LiveBox, signal: string): Promise<void> {
  try {
    const guest = await live.guest();
    await guest.signal(MAIN, signal);
  } catch (error) {
    // It ended in between: that is what was wanted.
    if (live.machineExit !== undefined) return;
    if (error instanceof A3sError && error.code === 'conflict') return;
    throw error;
  }
}

/** Whether it settles in time. */
async function inTime(settling: Promise<void>, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      settling.then(() => true),
      delay(Math.min(milliseconds, MAX_DELAY_MS), false, {
        signal: timer.signal,
        ref: false,
      }),
    ]);
  } finally {
    timer.abort();
  }
}
