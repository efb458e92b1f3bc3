/**
 * The user-defined networks of a confidential box, as far as its relying parties see them.
 *
 * A network has a name, addresses and members that its host chooses, and another host chooses
 * otherwise. So the launch spec says how many cards the host may give the box, and nothing else.
 *
 * @module
 */
import type { LaunchSpec } from '@a3s-box/policies';
import { MAX_HOST_NETWORKS } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { EndpointRequest } from '../spec/endpoints.ts';

/** The networks that a request has for a box. */
export interface AskedNetworks extends Pick<BoxDefinition, 'network'> {
  /** Absent: none. A network may be there several times by one name. */
  readonly endpoints?: readonly Pick<EndpointRequest, 'name' | 'links' | 'linkLocal'>[] | undefined;
}

/** How many cards the box gets, where its host has a say in them. */
export function hostNetworksOf(asked: AskedNetworks): Pick<LaunchSpec, 'hostNetworks'> {
  const { network, endpoints = [] } = asked;
  const names = new Set(endpoints.map(({ name }) => name));
  if (names.size === 0) return {};
  return { hostNetworks: names.size + (network === 'default' ? 1 : 0) };
}

/**
 * Refuses by name what a launch spec has no word for.
 *
 * @throws A3sError `unsupported-option`
 */
export function checkHostNetworks(asked: AskedNetworks): void {
  const { endpoints = [] } = asked;
  const linking = endpoints.find(({ links = [] }) => links.length > 0);
  if (linking !== undefined) {
    throw refusal(
      `links in the network ${linking.name} are`,
      'launch specs have no word for names that its host gives addresses',
      'Leave --link out, and use --network-alias of the other box.',
    );
  }
  if (endpoints.some(({ linkLocal = [] }) => linkLocal.length > 0)) {
    throw refusal(
      'LinkLocalIPs is',
      'launch specs have no word for them',
      'Leave --link-local-ip out.',
    );
  }
  const { hostNetworks = 0 } = hostNetworksOf(asked);
  if (hostNetworks <= MAX_HOST_NETWORKS) return;
  throw refusal(
    `${hostNetworks} networks are`,
    `its microVM has places for ${MAX_HOST_NETWORKS}`,
    `Name ${MAX_HOST_NETWORKS} at most.`,
  );
}

function refusal(what: string, why: string, remedy: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the box: ${what} not supported for a confidential box: ${why}`,
    { remedy },
  );
}
