/**
 * The user-defined networks of a confidential box, as far as its relying parties see them.
 *
 * A network has a name, addresses and members that its host chooses, and another host chooses
 * otherwise. So the launch spec says how many cards the host may give the box, and which names
 * addresses, and nothing else.
 *
 * @module
 */
import type { LaunchSpec } from '@a3s-box/policies';
import { MAX_HOST_NETWORKS } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';
import type { EndpointRequest } from '../spec/endpoints.ts';
import { parseLink } from '../spec/links.ts';

/** The networks that a request has for a box. */
export interface AskedNetworks extends Pick<BoxDefinition, 'network'> {
  /** Absent: none. A network may be there several times by one name. */
  readonly endpoints?: readonly Pick<EndpointRequest, 'name' | 'links' | 'linkLocal'>[] | undefined;
}

/** What a request leaves to the host besides. */
type Left = Pick<ConfidentialRequest, 'hostNetworks' | 'hostNames'>;

/** How many cards the box has at first, where its host has a say in them; else 0. */
export function firstNetworks({ network, endpoints = [] }: AskedNetworks): number {
  const names = new Set(endpoints.map(({ name }) => name));
  if (names.size === 0) return 0;
  return names.size + (network === 'default' ? 1 : 0);
}

/**
 * How many cards the box gets, where its host has a say in them, and which names are its host's.
 */
export function hostNetworksOf(
  asked: AskedNetworks,
  { hostNetworks = firstNetworks(asked), hostNames = [] }: Left,
): Pick<LaunchSpec, 'hostNetworks' | 'hostNames'> {
  const links = (asked.endpoints ?? []).flatMap(({ links: of = [] }) => of);
  const names = new Set([...links.map((link) => parseLink(link).alias), ...hostNames]);
  return {
    ...(hostNetworks === 0 ? {} : { hostNetworks }),
    ...(names.size === 0 ? {} : { hostNames: [...names].sort() }),
  };
}

/**
 * Refuses by name what no launch spec can say.
 *
 * @throws A3sError `unsupported-option`, `invalid-argument`
 */
export function checkHostNetworks(asked: AskedNetworks, left: Left): void {
  const { endpoints = [] } = asked;
  if (endpoints.some(({ linkLocal = [] }) => linkLocal.length > 0)) {
    throw new A3sError(
      'unsupported-option',
      'Cannot create the box: LinkLocalIPs is not supported for a confidential box: launch specs have no word for them',
      { remedy: 'Leave --link-local-ip out.' },
    );
  }
  const first = firstNetworks(asked);
  if (first > MAX_HOST_NETWORKS) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: ${first} networks are not supported for a confidential box: its microVM has places for ${MAX_HOST_NETWORKS}`,
      { remedy: `Name ${MAX_HOST_NETWORKS} at most.` },
    );
  }
  const { hostNetworks = first, hostNames = [] } = left;
  if (hostNetworks < first) {
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: it is in ${first} networks, and its host may put it into ${hostNetworks}`,
      { remedy: 'Give --host-networks a larger number, its own network included.' },
    );
  }
  if (asked.network === 'none' && hostNetworks > 0) {
    throw new A3sError(
      'invalid-argument',
      'Cannot create the box: its host may put it into networks, and it has none',
      { remedy: 'Leave --host-networks out, or --network none.' },
    );
  }
  if (hostNames.length > 0 && hostNetworks === 0) {
    throw new A3sError(
      'invalid-argument',
      'Cannot create the box: its host may give names addresses, and put it into no network',
      { remedy: 'Add --host-networks, or --network with the name of a network.' },
    );
  }
}
