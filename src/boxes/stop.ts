/**
 * Stopping a box, and sending it signals.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../errors.ts';
import { MAIN } from '../guest/protocol.ts';
import type { LiveBox } from './live.ts';
import { notRunning } from './live.ts';
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

/** Asks the main process to end, ends it when it does not, and waits for it. False when it does not run. */
export async function stopBox(rt: Runtime, id: string, options: StopOptions): Promise<boolean> {
  await settled(rt, id);
  const live = rt.live.get(id);
  if (live === undefined) return false;
  const box = rt.store.amend(id, { stopRequested: true });
  const { definition } = box;
  const signal = options.signal === undefined ? definition.stopSignal : parseSignal(options.signal);
  const seconds = options.timeoutSeconds ?? definition.stopTimeout ?? DEFAULT_TIMEOUT_SECONDS;
  await signalMain(rt, live, signal);
  if (!(await finishes(live, seconds < 0 ? MAX_DELAY_MS : seconds * 1000))) {
    await signalMain(rt, live, 'SIGKILL');
    await endSoon(live);
  }
  publish(rt, rt.store.get(id) ?? box, 'stop');
  return true;
}

/**
 * Sends a signal to the main process; after SIGKILL the box is gone when this returns.
 *
 * @throws A3sError `box-not-running`, `invalid-argument`
 */
export async function killBox(rt: Runtime, id: string, name: string): Promise<void> {
  const signal = parseSignal(name);
  await settled(rt, id);
  const live = rt.live.expect(id);
  const box = isKill(signal) ? rt.store.amend(id, { stopRequested: true }) : rt.store.expect(id);
  if (box.state.status === 'stopping' && !isKill(signal)) throw notRunning(id);
  await signalMain(rt, live, signal);
  publish(rt, box, 'kill', { signal: signalNumber(signal) });
  if (isKill(signal)) await endSoon(live);
}

/** A start, or an adoption, that is under way comes first. */
async function settled(rt: Runtime, id: string): Promise<void> {
  const { status } = rt.store.expect(id).state;
  const unsettled = status === 'starting' || (isLive(status) && rt.live.get(id) === undefined);
  if (unsettled) await rt.locks.run(id, async () => undefined);
  rt.store.expect(id);
}

async function signalMain(rt: Runtime, live: LiveBox, signal: string): Promise<void> {
  try {
    const guest = await live.guest();
    await guest.signal(MAIN, signal);
  } catch (error) {
    // It ended in between: that is what was wanted.
    if (live.machineExit !== undefined) return;
    if (error instanceof A3sError && error.code === 'conflict') return;
    // An agent that does not answer must not keep a box from being ended.
    if (!isKill(signal)) throw error;
    rt.log.error('a box did not take a signal', error, { box: live.id });
  }
}

async function endSoon(live: LiveBox): Promise<void> {
  if (await finishes(live, KILL_MS)) return;
  await live.machine.kill();
  await live.finished;
}

async function finishes(live: LiveBox, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      live.finished.then(() => true),
      delay(Math.min(milliseconds, MAX_DELAY_MS), false, { signal: timer.signal }),
    ]);
  } finally {
    timer.abort();
  }
}
