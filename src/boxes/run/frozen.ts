/**
 * Whether the processes of a box run: its guest and its record say the same of it, whoever changes that at once. A stop and a kill
 * take no lock, and have a paused box go on.
 *
 * @module
 */

import { publish, type Runtime } from '../runtime.ts';
import { notRunning, type RunningBox } from './running-box.ts';

/** @throws A3sError `box-not-running`, what the guest answers; then it is not paused */
export async function freeze(rt: Runtime, running: RunningBox): Promise<void> {
  await inTurn(running, async () => {
    if (rt.store.get(running.id)?.state.status !== 'running') throw notRunning(running.id);
    // On record first: a server that comes in between finds what has to be done, and does it.
    const box = rt.store.advance(running.id, 'pause');
    try {
      await (await running.guest()).freeze(running.signal);
    } catch (error) {
      if (isPaused(rt, running)) rt.store.advance(running.id, 'unpause');
      await undoFreeze(rt, running);
      throw error;
    }
    publish(rt, box, 'pause');
  });
}

/** For one that is on record as paused, which may have gone on. */
export async function freezeAgain(rt: Runtime, running: RunningBox): Promise<void> {
  await inTurn(running, async () => {
    if (isPaused(rt, running)) await (await running.guest()).freeze(running.signal);
  });
}

/** Nothing where it is not paused, or not any more. */
export async function thaw(rt: Runtime, running: RunningBox): Promise<void> {
  await inTurn(running, async () => {
    if (!isPaused(rt, running)) return;
    await (await running.guest()).thaw(running.signal);
    // A signal that it had got before ends it now.
    if (isPaused(rt, running)) publish(rt, rt.store.advance(running.id, 'unpause'), 'unpause');
  });
}

function isPaused(rt: Runtime, { id }: RunningBox): boolean {
  return rt.store.get(id)?.state.status === 'paused';
}

/** A guest that is asked for one while it does the other would say nothing of which came last. */
async function inTurn(running: RunningBox, work: () => Promise<void>): Promise<void> {
  await running.freezeLock.run(running.id, work);
}

/** It may stand still although nobody has heard of it. */
async function undoFreeze(rt: Runtime, running: RunningBox): Promise<void> {
  if (running.signal.aborted) return;
  try {
    await (await running.guest()).thaw(running.signal);
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('a box that was not paused may stand still', error, { box: running.id });
  }
}
