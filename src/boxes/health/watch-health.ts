/**
 * Watching over the health of a running box.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import type { Box, HealthCheck } from '../record/box.ts';
import type { LiveBox } from '../run/live.ts';
import { publish, type Runtime } from '../runtime.ts';
import { runProbe } from './health-probe.ts';
import { healthAfter, type ProbeResult, pauseBefore } from './health-state.ts';

/** Probes the box until its run is over. Never rejects. */
export async function watchHealth(rt: Runtime, live: LiveBox): Promise<void> {
  const check = rt.store.get(live.id)?.definition.health;
  if (check === undefined) return;
  try {
    for (;;) {
      const box = await untilProbed(rt, live, check);
      if (box === undefined) return;
      const stopped = whileRunning(rt, live);
      try {
        const result = await runProbe(rt, live, box, check, stopped.signal);
        if (result !== undefined) note(rt, live, check, result);
      } finally {
        stopped.unlink();
      }
    }
  } catch (error) {
    if (!live.signal.aborted) {
      rt.log.error('the health of a box is not checked any more', error, { box: live.id });
    }
  }
}

/** Waits for the next probe's time, and for a box that is paused; undefined when the run is over. */
async function untilProbed(
  rt: Runtime,
  live: LiveBox,
  check: HealthCheck,
): Promise<Box | undefined> {
  for (;;) {
    const box = presentRun(rt, live);
    if (box === undefined) return undefined;
    const { health = { status: 'starting' } } = box.state;
    const pause = pauseBefore(check, health, startOf(box), Date.now());
    await delay(pause, undefined, { signal: live.signal, ref: false });
    const present = presentRun(rt, live);
    if (present === undefined) return undefined;
    if (isProbed(present)) return present;
    await rt.store.when(
      live.id,
      (changed) => changed === undefined || isProbed(changed) || isOver(live, changed),
      live.signal,
    );
  }
}

/** A signal that aborts as soon as the box is not to be probed any more. */
function whileRunning(rt: Runtime, live: LiveBox): { signal: AbortSignal; unlink(): void } {
  const ended = new AbortController();
  const linked = linkedSignal(live.signal, ended.signal);
  const present = presentRun(rt, live);
  if (present === undefined || !isProbed(present)) ended.abort();
  rt.store
    .when(live.id, (box) => box === undefined || !isProbed(box), linked.signal)
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

function note(rt: Runtime, live: LiveBox, check: HealthCheck, result: ProbeResult): void {
  const box = presentRun(rt, live);
  if (box === undefined) return;
  const before = box.state.health ?? { status: 'starting' as const, failingStreak: 0, log: [] };
  const health = healthAfter(check, before, result, startOf(box));
  const noted = rt.store.noteHealth(live.id, health);
  if (health.status !== before.status) publish(rt, noted, `health_status: ${health.status}`);
}

/** The record of this very run, while it goes on and this server looks after it. */
function presentRun(rt: Runtime, live: LiveBox): Box | undefined {
  const box = rt.store.get(live.id);
  return box === undefined || live.signal.aborted || isOver(live, box) ? undefined : box;
}

function isOver(live: LiveBox, { state }: Box): boolean {
  return state.run !== live.run || (state.status !== 'running' && state.status !== 'paused');
}

/** It may wait for its secrets before its program begins. */
function isProbed({ state }: Box): boolean {
  return state.status === 'running' && state.launch?.secrets.state !== 'waiting';
}

function startOf({ state }: Box): number {
  return Date.parse(state.startedAt ?? '');
}
