/**
 * Records the end of a run, and does what follows from it: a restart, a removal, or nothing.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { settleAll } from '../../async/settle-all.ts';
import { isRecordFull } from '../../state/reserve.ts';
import { unseenLack } from '../confidential/secrets-lack.ts';
import type { Box, BoxState } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { mayHaveVm } from '../record/states.ts';
import { vmOf } from '../record/vm-of.ts';
import { restartAfter, restartRecord } from '../restart/restart-policy.ts';
import { type LeaveHost, leaveNetwork } from '../run/leave-network.ts';
import type { RunServices } from '../run/run-services.ts';
import { publish, publishVolumes } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { exitCodeOf } from './exit-code.ts';
import { type RemoveLockedHost, removeLocked } from './remove.ts';
import { retryRecord } from './retry-record.ts';

const KILLED = 137;

/** What the end of a run needs of the server. */
export type EndHost = RemoveLockedHost &
  LeaveHost &
  Pick<RunServices, 'locks' | 'running' | 'log' | 'restarts' | 'shutdown'>;

/**
 * Cleans up after a run and records its end. The box's microVM must be gone. When the exit of the
 * main process is not known, the box counts as killed.
 */
export async function finishRun(rt: EndHost, box: Box, detail: string): Promise<void> {
  const { id } = box.definition;
  const output = rt.outputs.of(id);
  await settleAll([
    rm(vmOf(rt, box).directory, { recursive: true, force: true }),
    output.close(),
    leaveNetwork(rt, box),
  ]);
  const current = rt.store.get(id);
  // The verb that ended the run may have recorded the end meanwhile.
  if (current === undefined || current.state.run !== box.state.run) return;
  if (!mayHaveVm(current.state.status)) return;
  const running = rt.running.get(id);
  const ended = recordEnd(rt, current, detail);
  // In the same step as the record, so that a reader of the end finds no microVM.
  if (running !== undefined) rt.running.delete(running);
  rt.execs.forgetBox(id);
  output.endRun(ended.state.run);
  if (ended.state.oomKilled) publish(rt, ended, 'oom');
  publish(rt, ended, 'die', { exitCode: String(ended.state.exitCode) });
  publishVolumes(rt, ended, 'unmount');
  if (ended.state.status === 'restarting') rt.restarts.wait(ended);
  // In turn with other verbs, some of which wait for the end of this very run.
  else if (ended.definition.autoRemove && running?.kept !== true) void removeAfterEnd(rt, id);
}

function recordEnd(rt: Pick<Services, 'store'>, box: Box, detail: string): Box {
  const { definition, state } = box;
  const known = state.status === 'stopping';
  const finished = {
    ...{ exitCode: state.exitCode, finishedAt: state.finishedAt },
    ...(known ? {} : { ...unseenExit(box, detail), finishedAt: timestamp(now()) }),
  };
  const { startedAt, restartDelayMs: delayMs, restartCount, stopRequested } = state;
  const ranMs = Date.parse(finished.finishedAt ?? '') - Date.parse(startedAt ?? '');
  const { exitCode } = finished;
  const run = { exitCode, stopRequested, ranMs, restartCount, delayMs };
  const restart = restartAfter(definition.restart, run);
  return rt.store.advance(definition.id, restart === undefined ? 'gone' : 'gone-restart', {
    ...{ pid: 0, ports: [], ...finished, ...restartRecord(restart) },
    // As Docker shows a box that is no longer probed.
    ...(state.health === undefined ? {} : { health: { ...state.health, status: 'unhealthy' } }),
  });
}

/** The result of a run whose end no server reported. */
function unseenExit(box: Box, detail: string): Pick<BoxState, 'exitCode' | 'error'> {
  const lack = unseenLack(box);
  if (lack !== undefined) return { exitCode: exitCodeOf(lack), error: lack.message };
  const why = detail === '' ? 'it was killed' : detail;
  const error = box.state.stopRequested ? '' : `the microVM ended unexpectedly: ${why}`;
  return { exitCode: KILLED, error };
}

async function removeAfterEnd(rt: EndHost, id: string): Promise<void> {
  const failure = 'a box could not be removed after its end';
  const isRetried = (error: unknown): boolean => isRecordFull(error) && !rt.shutdown.aborted;
  try {
    await retryRecord(rt, { fields: { box: id }, failure, isRetried }, () =>
      rt.locks.run(id, () => removeLocked(rt, id)),
    );
  } catch (error) {
    if (rt.store.get(id) !== undefined) {
      rt.log.error('a box was not removed after its end', error, { box: id });
    }
  }
}
