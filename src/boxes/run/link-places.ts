/**
 * The places of a box in the networks of links in `bridge`.
 *
 * @module
 */
import { targetAddress } from '../../networks/links.ts';
import type { Endpoint, NetworkRecord } from '../../networks/network.ts';
import type { Networks } from '../../networks/networks.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';

type NetworkRecords = Pick<Networks, 'get' | 'endpointsOf' | 'endpointsOfBox' | 'linksTo'>;

interface LinkPlace {
  readonly place: Endpoint;
  readonly network: NetworkRecord;
}

/** Those that are on record. */
export function linkPlaces(networks: Pick<Networks, 'get' | 'endpointsOfBox'>, box: string) {
  return networks.endpointsOfBox(box).flatMap((place): LinkPlace[] => {
    const network = networks.get(place.network);
    return network?.links === undefined ? [] : [{ place, network }];
  });
}

/** What a box asks of its place in a network of links. */
export function linkEndpoint(
  network: Pick<NetworkRecord, 'id' | 'name' | 'subnet' | 'links'>,
  box: string,
): BoxEndpoint {
  return {
    ...{ network: network.id, name: network.name, aliases: [] },
    ...(network.links === box ? { address: targetAddress(network) } : {}),
  };
}

/**
 * The network in which a box that starts finds those that are linked to it.
 *
 * @returns undefined where none of them runs
 */
export function networkOfLinkers(
  networks: NetworkRecords,
  { id, network }: Pick<BoxDefinition, 'id' | 'network'>,
): NetworkRecord | undefined {
  const found = network === 'default' ? networks.linksTo(id) : undefined;
  return found !== undefined && networks.endpointsOf(found.id).length > 0 ? found : undefined;
}

/** Whether a box that runs belongs into a network of links. */
export function belongsInLinks(
  { definition }: Pick<Box, 'definition'>,
  { links }: Pick<NetworkRecord, 'links'>,
): boolean {
  const { id, network, boxLinks = [] } = definition;
  if (links === undefined || network !== 'default') return false;
  return id === links || boxLinks.some(({ box }) => box === links);
}
