/**
 * Waiting for the end of a box.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import { isLive } from '../record/states.ts';
import type { Runtime } from '../runtime.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Settles with the exit code when the condition holds; rejects with the signal's reason. As with Docker, a box that its policy will start again
 * runs, and yet each end of a run is one: a `not-running` that came in time for it is answered.
 */
export async function waitBox(
  rt: Pick<Runtime, 'store'>,
  id: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<number> {
  const present = rt.store.expect(id);
  if (condition === 'not-running' && !runs(present)) return present.state.exitCode;
  let last = present;
  await rt.store.when(
    id,
    (box) => {
      if (box === undefined) return true;
      const before = last;
      last = box;
      if (condition === 'removed') return false;
      const { status } = box.state;
      if (status === before.state.status) return false;
      const over = status === 'exited' || status === 'restarting';
      // A start that is undone leaves a box that never ran: it is not running all the same.
      return (over && runs(before)) || (condition === 'not-running' && !runs(box));
    },
    signal,
  );
  return last.state.exitCode;
}

function runs({ state: { status } }: Box): boolean {
  return isLive(status) || status === 'restarting';
}
