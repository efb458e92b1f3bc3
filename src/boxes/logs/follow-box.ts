/**
 * How far `logs --follow` goes: over restarts by the box's policy, to the end of the last run.
 *
 * @module
 */

import type { Following } from '../output/follow.ts';
import type { Outputs } from '../output/outputs.ts';
import type { Box } from '../record/box.ts';
import { mayHaveVm } from '../record/states.ts';
import type { Services } from '../services/services.ts';

/**
 * Undefined where nothing more will be written: the box does not run, and will not be started
 * again.
 */
export function followBox(
  rt: Pick<Services, 'store'> & { readonly outputs: Outputs },
  id: string,
): Following | undefined {
  const { state, definition } = rt.store.expect(id);
  const { status, run } = state;
  if (status !== 'restarting' && !mayHaveVm(status)) return undefined;
  // An earlier server may have recorded that end.
  if (status === 'restarting') rt.outputs.of(id).endRun(run);
  return {
    run,
    // Without a restart policy, no reader waits for the end of the microVM.
    next:
      definition.restart.name === 'no'
        ? undefined
        : (ended, signal) => nextRun(rt, id, ended, signal),
  };
}

async function nextRun(
  rt: Pick<Services, 'store'>,
  id: string,
  ended: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const decided = (box: Box | undefined): boolean => box === undefined || !isUnsettled(box, ended);
  const present = rt.store.get(id);
  const box = decided(present)
    ? present
    : await rt.store.when(id, decided, signal).catch(() => undefined);
  return box !== undefined && box.state.run > ended && mayHaveVm(box.state.status)
    ? box.state.run
    : undefined;
}

/** Whether the run is still ending, or another one may follow. */
function isUnsettled({ state: { status, run } }: Box, ended: number): boolean {
  return run <= ended && (status === 'restarting' || mayHaveVm(status));
}
