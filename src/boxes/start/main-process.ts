/**
 * Starts the main process of a box whose guest has all that it needs, records that, and follows it
 * to its end.
 *
 * @module
 */
import { settleAll } from '../../async/settle-all.ts';
import { MAIN } from '../../guest/protocol.ts';
import { firstHealth } from '../health/health-state.ts';
import { trustAttributes } from '../policy/trust-record.ts';
import { now, timestamp } from '../record/clock.ts';
import { hostSeesOutput } from '../record/host-may.ts';
import { teeAttributes } from '../record/tee-names.ts';
import { vmAttributes } from '../record/vm-of.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish, publishVolumes } from '../services/publish.ts';
import { drainExecs } from '../supervise/drain-execs.ts';
import type { EndHost } from '../supervise/finish-run.ts';
import { type Followed, mainExit, supervise } from '../supervise/supervise.ts';
import { abandon } from './abandon.ts';
import type { Launched } from './launch.ts';
import type { PreparedMain } from './source.ts';

/**
 * Starts the main process, or goes on with one that already runs, and records it. Abandons the
 * microVM on failure.
 */
export async function runMain(rt: EndHost, { running, main }: Launched): Promise<void> {
  try {
    if (main === 'running') enterRunning(rt, running);
    else await startMain(rt, running, main);
  } catch (error) {
    if (!running.released) await abandon(rt, running);
    throw error;
  }
  // The clients of running execs belong to the box that was forked.
  if (main === 'running') void drainExecs(rt, running);
}

/** Requests the start, the output and the exit together. */
async function startMain(
  rt: EndHost,
  running: RunningBox,
  { guest, offset, durable }: PreparedMain,
): Promise<void> {
  const started = guest.startMain(running.signal);
  const followed: Followed = {
    guest,
    progress: { offset },
    output: hostSeesOutput(rt.store.expect(running.id))
      ? guest.output(MAIN, offset, running.signal)
      : undefined,
    exit: mainExit(guest, running.signal),
  };
  for (const each of [followed.output, followed.exit]) each?.catch(() => undefined);
  try {
    await settleAll([started, durable]);
    enterRunning(rt, running, followed);
  } catch (error) {
    followed.output?.then(
      (reader) => reader.close(),
      () => undefined,
    );
    throw error;
  }
}

/**
 * Records that the main process runs, and follows it from now on.
 *
 * @param followed the streams that are already followed
 */
export function enterRunning(rt: EndHost, running: RunningBox, followed?: Followed): void {
  const box = rt.store.advance(running.id, 'started', {
    pid: running.vm.pid,
    startedAt: timestamp(now()),
    health: firstHealth(rt.store.expect(running.id).definition),
  });
  publishVolumes(rt, box, 'mount');
  publish(rt, box, 'start', {
    ...trustAttributes(box.state.trust),
    ...vmAttributes(box.state.machine),
    ...teeAttributes(box),
  });
  supervise(rt, running, followed);
}
