/**
 * Stops a box, and sends it signals.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { settleAll } from '../../async/settle-all.ts';
import { A3sError } from '../../errors.ts';
import { MAIN } from '../../guest/protocol.ts';
import { endOrphaned, type OrphanHost } from '../adopt/orphaned.ts';
import { type Box, stopSignalOf } from '../record/box.ts';
import { expectPermission } from '../record/host-may.ts';
import { isLive } from '../record/states.ts';
import { type FreezeHost, thaw } from '../run/frozen.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { notRunning } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { isKill, parseSignal, signalNumber } from '../spec/signal.ts';
import { endStart } from '../supervise/end-start.ts';

const DEFAULT_TIMEOUT_SECONDS = 10;
/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;
const SIGNAL_ATTEMPTS = 5;
/** Time for SIGKILL to end the main process. After it the microVM is ended. */
export const KILL_MS = 10_000;

/** What a signal needs of the server: it resumes a paused box. */
export type SignalHost = FreezeHost & Pick<RunServices, 'locks' | 'running'>;

/** What the stop of all boxes needs of the server. */
export type StopAllHost = FreezeHost & Pick<RunServices, 'running' | 'restarts'>;

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
  const seconds = options.timeoutSeconds ?? definition.stopTimeout ?? DEFAULT_TIMEOUT_SECONDS;
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
    await end(rt, running);
  }
  publish(rt, rt.store.get(id) ?? box, 'stop');
  return true;
}

/**
 * Ends all running boxes as a stop does, because the host shuts down. No user asked for that, so
 * their policies hold, and the next server starts the boxes that are to be started.
 *
 * A box that cannot be ended does not keep the others from ending. The first failure is thrown when
 * all are done.
 *
 * @param timeoutMs the most time that any box gets, whatever its own timeout is
 */
export async function stopForHost(rt: StopAllHost, timeoutMs: number): Promise<void> {
  rt.restarts.hold();
  const boxes = rt.running.list();
  rt.log.info('the host ends: boxes are asked to end', { boxes: boxes.length });
  await settleAll(
    boxes.map(async (running) => {
      const { definition, state } = rt.store.expect(running.id);
      if (state.status === 'starting') {
        // Nothing of the box has run, and its start is undone.
        await running.vm.kill();
        return await running.finished;
      }
      const seconds = definition.stopTimeout ?? DEFAULT_TIMEOUT_SECONDS;
      const timeout = seconds < 0 ? timeoutMs : Math.min(seconds * 1000, timeoutMs);
      if (!(await endsOn(rt, running, stopSignalOf(definition), timeout))) await end(rt, running);
    }),
  );
}

/** Whether it waited for a start by its policy. Nothing is between the question and its answer. */
function endWait(rt: Pick<Services, 'store' | 'events'>, id: string, action: string): boolean {
  if (rt.store.get(id)?.state.status !== 'restarting') return false;
  const change = { stopRequested: true, restartAt: undefined, restartDelayMs: undefined };
  publish(rt, rt.store.advance(id, 'give-up', change), action);
  return true;
}

/**
 * A box that nobody could take over or end: what is left of it ends now. False when it does not
 * run.
 */
async function stopOrphaned(rt: OrphanHost, id: string): Promise<boolean> {
  const box = rt.store.get(id);
  if (box === undefined || !isLive(box.state.status)) return false;
  return await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const running = rt.running.get(id);
    if (running === undefined && !isLive(box.state.status)) return true;
    // A start by its policy may have come first. The policy must not start the box again.
    const asked = rt.store.amend(id, { stopRequested: true });
    if (running !== undefined) await end(rt, running);
    else await endOrphaned(rt, asked, '');
    return true;
  });
}

/**
 * Sends a signal to the main process. After SIGKILL the run has ended when this returns. After
 * SIGKILL or the box's own stop signal its policy rests, as after a stop.
 *
 * @throws A3sError `box-not-running`, `invalid-argument`
 */
export async function killBox(rt: SignalHost, id: string, name: string): Promise<void> {
  const signal = parseSignal(name);
  checkSignal(rt.store.expect(id), signal);
  await startEnded(rt, id, isKill(signal) ? 0 : Number.POSITIVE_INFINITY);
  if (endWait(rt, id, 'kill')) return;
  const running = rt.running.expect(id);
  if (isKill(signal)) {
    const box = rt.store.amend(id, { stopRequested: true });
    publish(rt, box, 'kill', { signal: signalNumber(signal) });
    return await end(rt, running);
  }
  const { state, definition } = rt.store.expect(id);
  if (state.status === 'stopping') throw notRunning(id);
  const isStop = signalNumber(signal) === signalNumber(stopSignalOf(definition));
  const box = isStop ? rt.store.amend(id, { stopRequested: true }) : rt.store.expect(id);
  await signalMain(running, signal);
  publish(rt, box, 'kill', { signal: signalNumber(signal) });
  // As in Docker: a paused process could not end.
  if (isStop) await thaw(rt, running);
}

/** Ending a box needs no permission. @throws A3sError `host-not-permitted` */
function checkSignal(box: Box, signal: string): void {
  if (isKill(signal) || signalNumber(signal) === signalNumber(stopSignalOf(box.definition))) return;
  expectPermission(box, `send ${signal} to`, 'signals');
}

/** A start, or an adoption, that is under way comes first; a start that takes longer than this ends. */
async function startEnded(
  rt: Pick<RunServices, 'store' | 'running' | 'locks'>,
  id: string,
  timeout: number,
): Promise<void> {
  const { status } = rt.store.expect(id).state;
  const unsettled = status === 'starting' || (isLive(status) && rt.running.get(id) === undefined);
  if (unsettled) {
    const turn = rt.locks.run(id, async () => undefined);
    const ended = !(await inTime(turn, timeout)) && (await endStart(rt, id));
    await turn;
    // A box that is removed at its end is gone, as was asked.
    if (ended) return;
  }
  rt.store.expect(id);
}

async function end(rt: FreezeHost, running: RunningBox): Promise<void> {
  if (await endsOn(rt, running, 'SIGKILL', KILL_MS)) return;
  await running.vm.kill();
  await running.finished;
}

/** Whether the signal ended the box in time; false at once when the agent does not take the signal. */
async function endsOn(
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
async function signalMain(running: RunningBox, signal: string): Promise<void> {
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
