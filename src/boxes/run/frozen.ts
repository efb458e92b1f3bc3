/**
 * Freezes and thaws the processes of a box. It keeps guest and record in line when several callers
 * do so at once: a stop and a kill take no lock, and resume a paused box.
 *
 * @module
 */

import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { notRunning, type RunningBox } from './running-box.ts';

/** What a freeze needs of the server. */
export type FreezeHost = Pick<Services, 'store' | 'events' | 'log'>;

/**
 * @param options.resumes the pause ends with what it was made for: a server that takes over resumes
 * the box
 * @throws A3sError `box-not-running`, what the guest answers; then it is not paused
 */
export async function freeze(
  rt: FreezeHost,
  running: RunningBox,
  { resumes = false } = {},
): Promise<void> {
  await serialized(running, async () => {
    if (rt.store.get(running.id)?.state.status !== 'running') throw notRunning(running.id);
    // The record comes first: a server that takes over in between finds what has to be done, and
    // does it.
    const box = rt.store.advance(running.id, 'pause', { resumes });
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

/**
 * After adoption. Freezes a box that is recorded as paused, and may have resumed. Resumes one whose
 * pause was for something that ended with the earlier server.
 */
export async function reconcilePause(rt: FreezeHost, running: RunningBox): Promise<void> {
  if (rt.store.get(running.id)?.state.resumes === true) return await thaw(rt, running);
  await serialized(running, async () => {
    if (isPaused(rt, running)) await (await running.guest()).freeze(running.signal);
  });
}

/** Does nothing where the box is not paused. */
export async function thaw(rt: FreezeHost, running: RunningBox): Promise<void> {
  await serialized(running, async () => {
    if (!isPaused(rt, running)) return;
    await (await running.guest()).thaw(running.signal);
    // A signal that the process got before ends it now.
    if (isPaused(rt, running)) publish(rt, rt.store.advance(running.id, 'unpause'), 'unpause');
  });
}

function isPaused(rt: Pick<Services, 'store'>, { id }: RunningBox): boolean {
  return rt.store.get(id)?.state.status === 'paused';
}

/** One at a time: a guest that gets both requests at once does not report which one came last. */
async function serialized(running: RunningBox, work: () => Promise<void>): Promise<void> {
  await running.freezeLock.run(running.id, work);
}

/** The guest may be frozen although its answer was lost. */
async function undoFreeze(rt: Pick<Services, 'log'>, running: RunningBox): Promise<void> {
  if (running.signal.aborted) return;
  try {
    await (await running.guest()).thaw(running.signal);
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('a box that was not paused may be frozen', error, { box: running.id });
  }
}
