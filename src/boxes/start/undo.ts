/**
 * Undoes a failed start.
 *
 * @module
 */
import { A3sError, ERRORS } from '../../errors.ts';
import type { Box, BoxState, RestartPolicy } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { sweepVm } from '../record/vm-of.ts';
import { type Restart, restartAfter, restartRecord } from '../restart/restart-policy.ts';
import { type LeaveHost, leaveNetwork } from '../run/leave-network.ts';
import type { RunServices } from '../run/run-services.ts';
import { exitCodeOf } from '../supervise/exit-code.ts';
import { type RemoveLockedHost, removeLocked } from '../supervise/remove.ts';
import { isInterrupted } from './enter.ts';

/** What undoing a start needs of the server. */
export type UndoHost = RemoveLockedHost &
  LeaveHost &
  Pick<RunServices, 'engine' | 'log' | 'restarts' | 'shutdown'>;

/**
 * Undoes a start whose processes have ended. The policy repeats a start of its own, unless the
 * cause of the failure lasts.
 *
 * @param interrupted the start ended with its server or the host, which is no failure of the box
 */
export async function undoStart(
  rt: UndoHost,
  box: Box,
  error: unknown,
  interrupted = isInterrupted(rt),
): Promise<void> {
  const { id } = box.definition;
  await sweepVm(rt, box);
  await leaveNetwork(rt, box);
  const output = rt.outputs.of(id);
  await output.close();
  const { state, definition } = rt.store.expect(id);
  const exitCode = exitCodeOf(error);
  const restart = nextTry(definition.restart, { ...state, exitCode }, error, interrupted);
  const ranBefore = state.startedAt !== undefined;
  const undone = rt.store.advance(
    id,
    restart !== undefined ? 'undone-restart' : ranBefore ? 'undone-exited' : 'undone-created',
    {
      exitCode,
      error: error instanceof Error ? error.message : String(error),
      ports: [],
      finishedAt: ranBefore ? timestamp(now()) : undefined,
      ...restartRecord(restart),
    },
  );
  output.endRun(box.state.run);
  rt.log.error('a box did not start', error, { box: id });
  if (restart !== undefined) rt.restarts.wait(undone);
  if (undone.definition.autoRemove) await removeLocked(rt, id);
}

function nextTry(
  policy: RestartPolicy,
  state: BoxState,
  error: unknown,
  interrupted: boolean,
): Restart | undefined {
  const { restartDelayMs: delayMs, restartCount, stopRequested, exitCode } = state;
  // A start by a user is not repeated: the user learns of the failure, and decides.
  if (delayMs === undefined || stopRequested) return undefined;
  if (interrupted) return { delayMs, restartCount };
  if (error instanceof A3sError && ERRORS[error.code].lasting === true) return undefined;
  return restartAfter(policy, { exitCode, stopRequested, ranMs: 0, restartCount, delayMs });
}
