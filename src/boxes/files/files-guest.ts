/**
 * Runs work on the files of a box by the box's agent. Launches a microVM for a box that does not
 * run.
 *
 * @module
 */
import { once } from '../../async/once.ts';
import type { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { Box } from '../record/box.ts';
import { SpecRefusal } from '../record/spec-refusal.ts';
import type { RunServices } from '../run/run-services.ts';
import { CopyDeadline } from './copy-deadline.ts';
import { FilesVm, type FilesVmHost, timingOf } from './files-vm.ts';

/** What work on files needs of the server. */
export type FilesHost = FilesVmHost & Pick<RunServices, 'running' | 'locks'>;

/** An agent that serves the files of a box. */
export interface FilesGuest {
  readonly guest: Guest;
  /** Aborts when the microVM is gone or is to end, or the client is gone. */
  readonly signal: AbortSignal;
  /**
   * Passes an archive on. Where the guest keeps it from moving, the signal aborts. So it does where
   * a client does, and a microVM was launched for it.
   *
   * @param from who sends it
   */
  readonly moving: (
    archive: AsyncIterable<Uint8Array>,
    from: 'guest' | 'client',
  ) => AsyncIterable<Uint8Array>;
  /**
   * Call it when the work is done or has failed. Later calls return what the first one does.
   *
   * @returns why what was written may be lost
   */
  release(): Promise<A3sError | undefined>;
}

/**
 * The agent of a running or paused box. For any other box a microVM is launched, and the box cannot
 * be started, removed or changed until the work is released. The box itself stays as it is.
 *
 * @param what for the message, such as `copy files of`
 * @throws A3sError `host-not-permitted` for a confidential box; what a launch throws
 */
export async function filesGuest(
  rt: FilesHost,
  box: Box,
  what: string,
  client: AbortSignal,
): Promise<FilesGuest> {
  expectVisible(box, what);
  const { id } = box.definition;
  const running = await ofRunning(rt, id, client);
  if (running !== undefined) return running;
  const unlock = await rt.locks.acquire(id);
  try {
    client.throwIfAborted();
    // Its last run may still be ending.
    if (rt.store.expect(id).state.status === 'stopping') await rt.running.get(id)?.finished;
    const started = await ofRunning(rt, id, client);
    if (started !== undefined) {
      unlock();
      return started;
    }
    const vm = await FilesVm.launch(rt, rt.store.expect(id), client);
    const signal = AbortSignal.any([vm.signal, client]);
    return {
      ...{ guest: vm.guest, signal, moving: (archive) => vm.moving(archive) },
      release: once(() => vm.end().finally(unlock)),
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Undefined where the box neither runs nor is paused. */
async function ofRunning(
  rt: Pick<FilesHost, 'running' | 'store' | 'log' | 'filesTiming'>,
  id: string,
  client: AbortSignal,
): Promise<FilesGuest | undefined> {
  const { status } = rt.store.expect(id).state;
  const running = status === 'running' || status === 'paused' ? rt.running.get(id) : undefined;
  if (running === undefined) return undefined;
  const guest = await running.guest();
  const late = new AbortController();
  const { name } = rt.store.expect(id);
  const deadline = new CopyDeadline(timingOf(rt), name, (error) => {
    rt.log.error('a copy of files stalled', error, { box: id });
    late.abort(error);
  });
  return {
    guest,
    signal: AbortSignal.any([running.signal, client, late.signal]),
    moving: (archive, from) =>
      deadline.paced(archive, { source: from === 'guest', reader: from === 'client' }),
    release: async () => {
      deadline.end();
      return undefined;
    },
  };
}

/** @throws A3sError `host-not-permitted` for a confidential box */
export function expectVisible(box: Box, what: string): void {
  if (box.definition.confidential === undefined) return;
  throw new SpecRefusal(
    'host-not-permitted',
    `Cannot ${what} ${box.name}: the host sees no file of a confidential box`,
    {
      ...{ box, decided: { rule: 'confidential', needs: [] } },
      remedy: 'Have a program of the box send its files, over RA-TLS for example.',
    },
  );
}
