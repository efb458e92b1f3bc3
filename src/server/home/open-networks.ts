/**
 * The user-defined networks of a home.
 *
 * @module
 */
import { now, timestamp } from '../../boxes/record/clock.ts';
import { mayHaveVm } from '../../boxes/record/states.ts';
import { belongsInLinks } from '../../boxes/run/link-places.ts';
import { type LinksHost, updateLinks } from '../../boxes/run/update-links.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { hostSubnets } from '../../networks/host-subnets.ts';
import { Networks } from '../../networks/networks.ts';
import type { NetworkRecords } from '../../networks/records.ts';

/** Takes the places of boxes that an earlier server left and that do not run. */
export function openNetworks(
  records: NetworkRecords,
  host: Pick<Runtime, 'store' | 'events' | 'hostNetworks'> & Omit<LinksHost, 'networks'>,
): Networks {
  const { store, events, hostNetworks } = host;
  const networks: Networks = new Networks({
    records,
    hostSubnets,
    userNetworks: () => hostNetworks.availability(),
    onEvent: (action: string, { id, name, driver }, box?: string) => {
      events.publish('network', action, id, {
        ...(box === undefined ? {} : { container: box }),
        ...{ name, type: driver },
      });
      if (box !== undefined) void updateLinks({ ...host, networks }, id);
    },
    now: () => timestamp(now()),
  });
  networks.keepOnly(({ box, network }) => {
    const { definition, state } = store.get(box) ?? {};
    if (definition === undefined || state === undefined) return false;
    const has =
      definition.endpoints.some((endpoint) => endpoint.network === network) ||
      belongsInLinks({ definition }, networks.get(network) ?? {});
    return has && mayHaveVm(state.status);
  });
  return networks;
}
