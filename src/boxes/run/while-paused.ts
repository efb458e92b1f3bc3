/**
 * Pauses a box for a while.
 *
 * @module
 */
import { once } from '../../async/once.ts';
import { A3sError } from '../../errors.ts';
import { type FreezeHost, freeze, thaw } from './frozen.ts';
import type { RunServices } from './run-services.ts';

/** What a pause for a while needs of the server. */
export type PauseHost = FreezeHost & Pick<RunServices, 'running' | 'locks'>;

/**
 * Pauses a box that runs. A box that is paused, or does not run, stays as it is. One pause of a box
 * waits for the end of the one before. A server that is killed meanwhile leaves it to the next one
 * to resume the box.
 *
 * @returns resumes the box; later calls return what the first one does. It never rejects.
 * @throws A3sError what the guest answers; then the box is not paused
 */
export async function pauseForAWhile(rt: PauseHost, id: string): Promise<() => Promise<void>> {
  const running = rt.running.get(id);
  const runs = (): boolean => rt.store.get(id)?.state.status === 'running';
  const { status, resumes } = rt.store.expect(id).state;
  // One that is paused for a while will run again before this pause begins.
  const mayRun = status === 'running' || (status === 'paused' && resumes === true);
  if (running === undefined || !mayRun) return async () => undefined;
  const unlock = await running.pauseLock.acquire(id);
  let paused = false;
  try {
    await rt.locks.run(id, async () => {
      if (!runs()) return;
      await freeze(rt, running, { resumes: true });
      paused = true;
    });
  } catch (error) {
    unlock();
    // The box has ended meanwhile. What it left can still be read.
    if (error instanceof A3sError && error.code === 'box-not-running') return async () => undefined;
    throw error;
  }
  return once(async () => {
    try {
      if (paused) await rt.locks.run(id, () => thaw(rt, running));
    } catch (error) {
      if (!running.signal.aborted) rt.log.error('a box may be frozen', error, { box: id });
    } finally {
      unlock();
    }
  });
}
