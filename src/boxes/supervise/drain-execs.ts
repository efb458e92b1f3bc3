/**
 * Reads and drops the output of execs whose clients are gone: those of an earlier server, and in a
 * fork those of the box that it was forked from.
 *
 * @module
 */
import { isProbe } from '../health/health-probe.ts';
import { persist } from '../run/persist.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { drainProcesses } from './drain-processes.ts';

/** Never rejects. */
export async function drainExecs(
  rt: Pick<RunServices, 'log' | 'execs'>,
  running: RunningBox,
): Promise<void> {
  const { probes, signal } = running;
  // This server may have started execs of its own meanwhile.
  const isOwn = (exec: string): boolean =>
    probes.has(exec) || rt.execs.ofBox(running.id).some(({ id }) => id === exec);
  try {
    await persist(running, (guest) => drainProcesses(guest, { isOwn, isKilled: isProbe, signal }));
  } catch (error) {
    if (!signal.aborted) rt.log.error('execs were lost sight of', error, { box: running.id });
  }
}
