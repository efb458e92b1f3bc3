/**
 * Keeps the names that links give a box: those of boxes that come into its networks, and leave
 * them.
 *
 * @module
 */
import type { Services } from '../services/services.ts';
import { hasLinks } from '../spec/links.ts';
import { guestNetworks } from './guest-networks.ts';
import type { RunServices } from './run-services.ts';

/** Dependencies of link updates. */
export type LinksHost = Pick<RunServices, 'running' | 'locks'> &
  Pick<Services, 'store' | 'networks' | 'log'>;

/**
 * Tells all running boxes with links in a network of the addresses that are there now, each as soon
 * as nothing else is done with it. Never rejects.
 *
 * @param network undefined: in any network, as after the server was replaced
 */
export async function updateLinks(rt: LinksHost, network?: string): Promise<void> {
  const linked = rt.running.list().filter(({ id }) => {
    const { endpoints = [], boxLinks = [] } = rt.store.get(id)?.definition ?? {};
    if (network === undefined && boxLinks.length > 0) return true;
    return hasLinks({
      endpoints: endpoints.filter((each) => network === undefined || each.network === network),
    });
  });
  await Promise.all(linked.map(({ id }) => updateBox(rt, id)));
}

async function updateBox(rt: LinksHost, id: string): Promise<void> {
  try {
    await rt.locks.run(id, async () => {
      const [running, box] = [rt.running.get(id), rt.store.get(id)];
      const runs = box?.state.status === 'running' || box?.state.status === 'paused';
      if (running === undefined || box === undefined || !runs) return;
      const guest = await running.guest();
      await guest.putNetworks(guestNetworks(rt, box), running.signal);
    });
  } catch (error) {
    // The end of its run takes its network too.
    if (rt.running.get(id)?.signal.aborted !== false) return;
    rt.log.error('cannot update the links of a box', error, { box: id });
  }
}
