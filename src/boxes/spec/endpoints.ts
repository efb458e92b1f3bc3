/**
 * The user-defined networks of a box.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { checkWantedAddress } from '../../networks/allocate.ts';
import { checkWantedAddress6 } from '../../networks/allocate6.ts';
import { formatAddress } from '../../networks/ipv4.ts';
import { parseMac } from '../../networks/mac.ts';
import { isPredefined, type Networks } from '../../networks/networks.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';
import { parseLink } from './links.ts';

/** A user-defined network that the box is to be in. */
export interface EndpointRequest {
  /** The network's name, its id, or the beginning of that. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly address: string | undefined;
  readonly address6?: string | undefined;
  readonly mac: string | undefined;
  /** The network with the highest is the way out. Undefined: 0. */
  readonly gatewayPriority?: number | undefined;
  /** `TARGET:ALIAS` each. */
  readonly links?: readonly string[] | undefined;
  /** Further addresses of its card. */
  readonly linkLocal?: readonly string[] | undefined;
  /** For `inspect`. */
  readonly driverOptions?: Readonly<Record<string, string>> | undefined;
}

/**
 * Finds the networks that a request names.
 *
 * @returns the box's places, in the order of the request
 * @throws A3sError `no-such-network`, `unsupported-option`, `invalid-argument`
 */
export function resolveEndpoints(
  rt: { readonly networks: Pick<Networks, 'find'> },
  request: { readonly endpoints: readonly EndpointRequest[] },
): BoxEndpoint[] {
  if (request.endpoints.length === 0) return [];
  const found = new Map<string, BoxEndpoint>();
  for (const asked of request.endpoints) {
    const endpoint = resolveEndpoint(rt, asked);
    const { network, name, aliases, address, mac, gatewayPriority, driverOptions } = endpoint;
    const first = found.get(network);
    const merged = {
      ...{ network, name: first?.name ?? name },
      aliases: [...new Set([...(first?.aliases ?? []), ...aliases])],
      ...withAddresses(first?.address ?? address, first?.mac ?? mac),
      ...withAddress6(first?.address6 ?? endpoint.address6),
      ...withPriority(first?.gatewayPriority ?? gatewayPriority),
      ...withLinkLocal([...(first?.linkLocal ?? []), ...(endpoint.linkLocal ?? [])]),
      ...withLinks([...(first?.links ?? []), ...(endpoint.links ?? [])]),
      ...withDriverOptions(first?.driverOptions ?? driverOptions),
    };
    found.set(network, merged);
  }
  return [...found.values()];
}

/** @throws A3sError `no-such-network`, `unsupported-option`, `invalid-argument` */
export function resolveEndpoint(
  rt: { readonly networks: Pick<Networks, 'find'> },
  asked: EndpointRequest,
): BoxEndpoint {
  const { name, aliases } = asked;
  const network = rt.networks.find(name);
  if (isPredefined(network)) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: the network ${network.name} is known by its name alone`,
      { remedy: `Say --network ${network.name}.` },
    );
  }
  const address =
    asked.address === undefined
      ? undefined
      : formatAddress(checkWantedAddress(network, asked.address));
  const mac = asked.mac === undefined ? undefined : parseMac(asked.mac);
  return {
    ...{ network: network.id, name, aliases: [...aliases] },
    ...withAddresses(address, mac),
    ...withAddress6(
      asked.address6 === undefined ? undefined : checkWantedAddress6(network, asked.address6),
    ),
    ...withPriority(asked.gatewayPriority),
    ...withLinkLocal(asked.linkLocal),
    ...withLinks(asked.links),
    ...withDriverOptions(asked.driverOptions),
  };
}

function withAddress6(address6: string | undefined) {
  return address6 === undefined ? {} : { address6 };
}

function withPriority(gatewayPriority: number | undefined) {
  return gatewayPriority === undefined ? {} : { gatewayPriority };
}

function withLinkLocal(linkLocal: readonly string[] = []) {
  return linkLocal.length === 0 ? {} : { linkLocal: [...new Set(linkLocal)] };
}

/** @throws A3sError `invalid-argument` */
function withLinks(links: readonly string[] = []) {
  for (const link of links) parseLink(link);
  return links.length === 0 ? {} : { links: [...new Set(links)] };
}

function withDriverOptions(driverOptions: EndpointRequest['driverOptions']) {
  return driverOptions === undefined ? {} : { driverOptions: { ...driverOptions } };
}

function withAddresses(address: string | undefined, mac: string | undefined) {
  return {
    ...(address === undefined ? {} : { address }),
    ...(mac === undefined ? {} : { mac }),
  };
}
