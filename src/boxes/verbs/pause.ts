/**
 * Pauses a box: its processes are frozen until it goes on, and keep all their state.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type ReconcileNetworksHost, reconcileNetworks } from '../adopt/reconcile-networks.ts';
import { expectPermission } from '../record/host-may.ts';
import { type FreezeHost, freeze, thaw } from '../run/frozen.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning } from '../run/running-box.ts';

/** What a pause needs of the server. */
export type PauseHost = FreezeHost & Pick<RunServices, 'locks' | 'running'>;

/**
 * @throws A3sError `conflict` for one that is paused or waits for its next run, `box-not-running`,
 * `host-not-permitted`
 */
export async function pauseBox(rt: PauseHost, id: string): Promise<void> {
  expectPermission(rt.store.expect(id), 'pause', 'signals');
  await rt.locks.run(id, async () => {
    const { status } = rt.store.expect(id).state;
    if (status === 'paused') throw new A3sError('conflict', `Container ${id} is already paused`);
    if (status === 'restarting') {
      throw new A3sError(
        'conflict',
        `Container ${id} is restarting, wait until the container is running`,
      );
    }
    const running = rt.running.get(id);
    if (status !== 'running' || running === undefined) throw notRunning(id);
    await freeze(rt, running);
  });
}

/** What the end of a pause needs of the server. */
export type UnpauseHost = PauseHost & ReconcileNetworksHost;

/**
 * Networks that an earlier server was changing are put in order as well: the guest answers again.
 *
 * @throws A3sError `conflict` for one that is not paused, `host-not-permitted`
 */
export async function unpauseBox(rt: UnpauseHost, id: string): Promise<void> {
  expectPermission(rt.store.expect(id), 'unpause', 'signals');
  await rt.locks.run(id, async () => {
    const { status } = rt.store.expect(id).state;
    const running = rt.running.get(id);
    if (running === undefined || status !== 'paused') {
      throw new A3sError('conflict', `Container ${id} is not paused`);
    }
    await thaw(rt, running);
    await reconcileNetworks(rt, running);
  });
}
