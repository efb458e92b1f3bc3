/**
 * Reads and drops the output of processes whose clients are gone, and has the agent forget them.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { GuestBox } from '../../guest/guest-box.ts';
import { MAIN, type Process } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';

export interface DrainOptions {
  /** Whether this server has started the process, and follows it. */
  readonly isOwn: (id: string) => boolean;
  /** Whether the process is killed: its time is not measured any more. */
  readonly isKilled: (id: string) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Drains all processes but the main one and this server's own, until each has ended.
 *
 * @throws A3sError what the connection breaks with; the rest can be drained over another one
 */
export async function drainProcesses(
  guest: GuestBox,
  { isOwn, isKilled, signal }: DrainOptions,
): Promise<void> {
  const { processes } = await guest.state(signal);
  const others = processes.filter(({ id }) => id !== MAIN && !isOwn(id));
  await Promise.all(
    others.map(async (each) => {
      try {
        if (isKilled(each.id) && each.state === 'running') await killProcess(guest, each.id);
        await drainProcess(guest, each, signal);
      } catch (error) {
        // The process ended meanwhile, or its follower has made the guest forget it.
        if (finality(error) !== 'state') throw error;
      }
    }),
  );
}

/** Drains one process until it has ended. */
export async function drainProcess(
  guest: GuestBox,
  { id, acknowledged }: Pick<Process, 'id' | 'acknowledged'>,
  signal: AbortSignal,
): Promise<void> {
  const reader = await guest.output(id, acknowledged, signal);
  for await (const { offset, data } of reader) reader.ack(offset + data.length);
  await guest.forget(id);
}

/** A process that has ended already stays as it is. */
export async function killProcess(guest: GuestBox, id: string): Promise<void> {
  try {
    await guest.signal(id, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof A3sError) || error.code !== 'conflict') throw error;
  }
}
