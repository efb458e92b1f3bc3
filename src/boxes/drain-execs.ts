/**
 * Execs that nobody listens to: an earlier server's, or those of the box that this one is a copy of.
 *
 * @module
 */
import type { Guest } from '../guest/guest.ts';
import { MAIN, type Process } from '../guest/protocol.ts';
import { isProbe } from './health-probe.ts';
import type { LiveBox } from './live.ts';
import { persist } from './persist.ts';
import type { Runtime } from './runtime.ts';

/** Their clients are gone, so their output is read and dropped. Never rejects. */
export async function drainExecs(rt: Pick<Runtime, 'log'>, live: LiveBox): Promise<void> {
  try {
    await persist(live, async (guest) => {
      const { processes } = await guest.state(live.signal);
      const execs = processes.filter(({ id }) => id !== MAIN);
      await Promise.all(execs.map((exec) => drain(guest, exec, live.signal)));
    });
  } catch (error) {
    if (!live.signal.aborted) rt.log.error('execs were lost sight of', error, { box: live.id });
  }
}

async function drain(guest: Guest, exec: Process, signal: AbortSignal): Promise<void> {
  // Nobody counts its time any more.
  if (isProbe(exec.id) && exec.state === 'running') await guest.signal(exec.id, 'SIGKILL');
  const reader = await guest.output(exec.id, exec.acknowledged, signal);
  for await (const { offset, data } of reader) reader.ack(offset + data.length);
  await guest.forget(exec.id);
}
