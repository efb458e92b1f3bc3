/**
 * Waiting for the end of a box.
 *
 * @module
 */
import type { Box } from './box.ts';
import type { Runtime } from './runtime.ts';
import { isLive } from './states.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  readonly exitCode: number;
  readonly error: string;
}

/** Settles when the condition holds; rejects with the signal's reason. */
export async function waitBox(
  rt: Pick<Runtime, 'store'>,
  id: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const present = rt.store.expect(id);
  if (condition === 'not-running' && !isLive(present.state.status)) return resultOf(present);
  let last = present;
  let ran = isLive(present.state.status);
  await rt.store.when(
    id,
    (box) => {
      if (box === undefined) return true;
      last = box;
      ran ||= isLive(box.state.status);
      // A start that is undone leaves a box that never ran: it is not running all the same.
      if (condition === 'not-running') return !isLive(box.state.status);
      return condition === 'next-exit' && ran && box.state.status === 'exited';
    },
    signal,
  );
  return resultOf(last);
}

function resultOf(box: Box): WaitResult {
  return { exitCode: box.state.exitCode, error: box.state.error };
}
