/**
 * Probes the health of a running box, and records each result. A box that becomes unhealthy goes on
 * running: nothing restarts it.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import type { Box, HealthCheck } from '../record/box.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { withLinkVariables } from '../spec/box-links.ts';
import { runProbe } from './health-probe.ts';
import { healthAfter, type ProbeResult, pauseBefore } from './health-state.ts';

/** What probes need of the server. */
type HealthHost = Pick<Services, 'events' | 'log' | 'networks' | 'store'>;

/** Probes the box until its run is over. Never rejects. */
export async function watchHealth(rt: HealthHost, running: RunningBox): Promise<void> {
  const check = rt.store.get(running.id)?.definition.health;
  if (check === undefined) return;
  try {
    for (;;) {
      const box = await untilProbed(rt, running, check);
      if (box === undefined) return;
      const stopped = whileRunning(rt, running);
      try {
        const linked = withLinkVariables(rt, box);
        const result = await runProbe(rt, running, linked, check, stopped.signal);
        if (result !== undefined) recordResult(rt, running, check, result);
      } finally {
        stopped.unlink();
      }
    }
  } catch (error) {
    if (!running.signal.aborted) {
      rt.log.error('the health of a box is not checked any more', error, { box: running.id });
    }
  }
}

/**
 * Waits until the next probe is due, and while the box is paused. Undefined when the run is over.
 */
async function untilProbed(
  rt: HealthHost,
  running: RunningBox,
  check: HealthCheck,
): Promise<Box | undefined> {
  for (;;) {
    const box = presentRun(rt, running);
    if (box === undefined) return undefined;
    const { health = { status: 'starting' } } = box.state;
    const pause = pauseBefore(check, health, startOf(box), Date.now());
    await delay(pause, undefined, { signal: running.signal, ref: false });
    const present = presentRun(rt, running);
    if (present === undefined) return undefined;
    if (isProbed(present)) return present;
    await rt.store.when(
      running.id,
      (changed) => changed === undefined || isProbed(changed) || isOver(running, changed),
      running.signal,
    );
  }
}

/** A signal that aborts as soon as the box must not be probed any more. */
function whileRunning(
  rt: HealthHost,
  running: RunningBox,
): { signal: AbortSignal; unlink(): void } {
  const ended = new AbortController();
  const linked = linkedSignal(running.signal, ended.signal);
  const present = presentRun(rt, running);
  if (present === undefined || !isProbed(present)) ended.abort();
  rt.store
    .when(running.id, (box) => box === undefined || !isProbed(box), linked.signal)
    .then(
      () => ended.abort(),
      () => undefined,
    );
  return {
    signal: linked.signal,
    unlink: () => {
      ended.abort();
      linked.unlink();
    },
  };
}

function recordResult(
  rt: HealthHost,
  running: RunningBox,
  check: HealthCheck,
  result: ProbeResult,
): void {
  const box = presentRun(rt, running);
  if (box === undefined) return;
  const before = box.state.health ?? { status: 'starting' as const, failingStreak: 0, log: [] };
  const health = healthAfter(check, before, result, startOf(box));
  const amended = rt.store.recordHealth(running.id, health);
  if (health.status !== before.status) publish(rt, amended, `health_status: ${health.status}`);
}

/** The record of this run, while the run goes on and this server follows it; else undefined. */
function presentRun(rt: HealthHost, running: RunningBox): Box | undefined {
  const box = rt.store.get(running.id);
  return box === undefined || running.signal.aborted || isOver(running, box) ? undefined : box;
}

function isOver(running: RunningBox, { state }: Box): boolean {
  return state.run !== running.run || (state.status !== 'running' && state.status !== 'paused');
}

/** A box that waits for its secrets is not probed: its program has not started. */
function isProbed({ state }: Box): boolean {
  return state.status === 'running' && state.launch?.secrets.state !== 'waiting';
}

function startOf({ state }: Box): number {
  return Date.parse(state.startedAt ?? '');
}
