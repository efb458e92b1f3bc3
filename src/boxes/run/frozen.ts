/**
 * Whether the processes of a box run: its guest and its record say the same of it, whoever changes that at once. A stop and a kill
 * take no lock, and have a paused box go on.
 *
 * @module
 */

import { publish, type Runtime } from '../runtime.ts';
import { type LiveBox, notRunning } from './live.ts';

/** @throws A3sError `box-not-running`, what the guest answers; then it is not paused */
export async function standStill(rt: Runtime, live: LiveBox): Promise<void> {
  await inTurn(live, async () => {
    if (rt.store.get(live.id)?.state.status !== 'running') throw notRunning(live.id);
    // On record first: a server that comes in between finds what has to be done, and does it.
    const box = rt.store.advance(live.id, 'pause');
    try {
      await (await live.guest()).freeze(live.signal);
    } catch (error) {
      if (isPaused(rt, live)) rt.store.advance(live.id, 'unpause');
      await thawAgain(rt, live);
      throw error;
    }
    publish(rt, box, 'pause');
  });
}

/** For one that is on record as paused, which may have gone on. */
export async function standStillAgain(rt: Runtime, live: LiveBox): Promise<void> {
  await inTurn(live, async () => {
    if (isPaused(rt, live)) await (await live.guest()).freeze(live.signal);
  });
}

/** Nothing where it is not paused, or not any more. */
export async function goOn(rt: Runtime, live: LiveBox): Promise<void> {
  await inTurn(live, async () => {
    if (!isPaused(rt, live)) return;
    await (await live.guest()).thaw(live.signal);
    // A signal that it had got before ends it now.
    if (isPaused(rt, live)) publish(rt, rt.store.advance(live.id, 'unpause'), 'unpause');
  });
}

function isPaused(rt: Runtime, { id }: LiveBox): boolean {
  return rt.store.get(id)?.state.status === 'paused';
}

/** A guest that is asked for one while it does the other would say nothing of which came last. */
async function inTurn(live: LiveBox, work: () => Promise<void>): Promise<void> {
  await live.standstill.run(live.id, work);
}

/** It may stand still although nobody has heard of it. */
async function thawAgain(rt: Runtime, live: LiveBox): Promise<void> {
  if (live.signal.aborted) return;
  try {
    await (await live.guest()).thaw(live.signal);
  } catch (error) {
    if (live.signal.aborted) return;
    rt.log.error('a box that was not paused may stand still', error, { box: live.id });
  }
}
