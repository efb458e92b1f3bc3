/**
 * Pausing a box: none of its processes runs until it goes on, and all that they have stays as it is.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { expectPermission } from './confidential/host-may.ts';
import type { LiveBox } from './live.ts';
import { notRunning } from './live.ts';
import { publish, type Runtime } from './runtime.ts';

/** @throws A3sError `conflict` for one that is paused or waits for its next run, `box-not-running`, `host-not-permitted` */
export async function pauseBox(rt: Runtime, id: string): Promise<void> {
  expectPermission(rt.store.expect(id), 'pause', 'signals');
  await rt.locks.run(id, async () => {
    const { status } = rt.store.expect(id).state;
    if (status === 'paused') throw new A3sError('conflict', `Container ${id} is already paused`);
    if (status === 'restarting') {
      throw new A3sError(
        'conflict',
        `Container ${id} is restarting, wait until the container is running`,
      );
    }
    const live = rt.live.get(id);
    if (status !== 'running' || live === undefined) throw notRunning(id);
    // On record first: a server that comes in between finds what has to be done, and does it.
    const box = rt.store.advance(id, 'pause');
    try {
      await (await live.guest()).freeze(live.signal);
    } catch (error) {
      if (rt.store.get(id)?.state.status === 'paused') rt.store.advance(id, 'unpause');
      await thawAgain(rt, live);
      throw error;
    }
    publish(rt, box, 'pause');
  });
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

/** @throws A3sError `conflict` for one that is not paused, `host-not-permitted` */
export async function unpauseBox(rt: Runtime, id: string): Promise<void> {
  expectPermission(rt.store.expect(id), 'unpause', 'signals');
  await rt.locks.run(id, async () => {
    const live = rt.live.get(id);
    if (rt.store.expect(id).state.status !== 'paused' || live === undefined) {
      throw new A3sError('conflict', `Container ${id} is not paused`);
    }
    await (await live.guest()).thaw(live.signal);
    // A signal that ends it has it go on too.
    if (rt.store.get(id)?.state.status !== 'paused') return;
    publish(rt, rt.store.advance(id, 'unpause'), 'unpause');
  });
}
