/**
 * Reads and drops the output of execs whose clients are gone: those of an earlier server, and in a
 * fork those of the box that it was forked from.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import { MAIN, type Process } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import { isProbe } from '../health/health-probe.ts';
import { persist } from '../run/persist.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';

/** Never rejects. */
export async function drainExecs(
  rt: Pick<RunServices, 'log' | 'execs'>,
  running: RunningBox,
): Promise<void> {
  try {
    await persist(running, async (guest) => {
      const { processes } = await guest.state(running.signal);
      // This server may have started execs of its own meanwhile.
      const own = new Set(rt.execs.ofBox(running.id).map(({ id }) => id));
      const execs = processes.filter(
        ({ id }) => id !== MAIN && !own.has(id) && !running.probes.has(id),
      );
      await Promise.all(execs.map((exec) => drain(guest, exec, running.signal)));
    });
  } catch (error) {
    if (!running.signal.aborted)
      rt.log.error('execs were lost sight of', error, { box: running.id });
  }
}

async function drain(guest: Guest, exec: Process, signal: AbortSignal): Promise<void> {
  try {
    // Its time is not measured any more.
    if (isProbe(exec.id) && exec.state === 'running') await kill(guest, exec.id);
    const reader = await guest.output(exec.id, exec.acknowledged, signal);
    for await (const { offset, data } of reader) reader.ack(offset + data.length);
    await guest.forget(exec.id);
  } catch (error) {
    // The exec ended meanwhile, or its follower has made the guest forget it.
    if (finality(error) === 'state') return;
    throw error;
  }
}

async function kill(guest: Guest, id: string): Promise<void> {
  try {
    await guest.signal(id, 'SIGKILL');
  } catch (error) {
    // The probe has ended meanwhile. The rest of its output is still read.
    if (!(error instanceof A3sError) || error.code !== 'conflict') throw error;
  }
}
