/**
 * Waits for the end of a box.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import { mayHaveVm } from '../record/states.ts';
import type { Services } from '../services/services.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface Ending {
  readonly exitCode: number;
  /**
   * Why a run did not end on its own; empty for one that did. A failed start is reported by the
   * start, not by a wait.
   */
  readonly error: string;
}

/**
 * Settles with the end of the box when the condition holds; rejects with the signal's reason. As
 * with Docker, a box that its policy will start again runs, and yet each end of a run is one: a
 * `not-running` that came in time for it is answered.
 */
export async function waitBox(
  rt: Pick<Services, 'store'>,
  id: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<Ending> {
  const present = rt.store.expect(id);
  let last = present;
  let ran = present.state.startedAt !== undefined;
  const ending = (): Ending => {
    const { exitCode, error } = last.state;
    return { exitCode, error: ran ? error : '' };
  };
  if (condition === 'not-running' && !runs(present)) return ending();
  await rt.store.when(
    id,
    (box) => {
      if (box === undefined) return true;
      const before = last;
      last = box;
      const { status } = box.state;
      if (before.state.status === 'starting' && status !== 'starting') ran = status === 'running';
      if (condition === 'removed') return false;
      if (status === before.state.status) return false;
      const over = status === 'exited' || status === 'restarting';
      // An undone start leaves a box that never ran. It is not running all the same.
      return (over && runs(before)) || (condition === 'not-running' && !runs(box));
    },
    signal,
  );
  return ending();
}

function runs({ state: { status } }: Box): boolean {
  return mayHaveVm(status) || status === 'restarting';
}
