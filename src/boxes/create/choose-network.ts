/**
 * The user-defined network of a new box.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { checkWantedAddress } from '../../networks/allocate.ts';
import { formatAddress } from '../../networks/ipv4.ts';
import { parseMac } from '../../networks/mac.ts';
import { isPredefined } from '../../networks/networks.ts';
import type { BoxEndpoint } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { checkUserNetwork } from '../spec/network-spec.ts';
import type { CreateRequest, EndpointRequest } from './create-request.ts';

/**
 * Finds the networks that a request names.
 *
 * @returns the box's places, in the order of the request; at most one
 * @throws A3sError `no-such-network`, `unsupported-option`, `invalid-argument`
 */
export function resolveEndpoints(
  rt: Pick<Services, 'networks'>,
  request: Pick<CreateRequest, 'network' | 'endpoints' | 'confidential'>,
): BoxEndpoint[] {
  if (request.network !== 'user') return [];
  const found = new Map<string, BoxEndpoint>();
  for (const asked of request.endpoints) {
    const endpoint = resolveEndpoint(rt, asked);
    const { network, name, aliases, address, mac } = endpoint;
    const first = found.get(network);
    const merged = {
      ...{ network, name: first?.name ?? name },
      aliases: [...new Set([...(first?.aliases ?? []), ...aliases])],
      ...withAddresses(first?.address ?? address, first?.mac ?? mac),
    };
    found.set(network, merged);
  }
  if (found.size > 1) {
    const names = [...found.values()].map(({ name }) => name).join(' and ');
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: it is to be in ${names}, and a box is in one network`,
      { remedy: 'Name one network.' },
    );
  }
  const { network, confidential } = request;
  checkUserNetwork({ network, confidential: confidential !== undefined, fork: false });
  return [...found.values()];
}

function resolveEndpoint(rt: Pick<Services, 'networks'>, asked: EndpointRequest): BoxEndpoint {
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
  return { network: network.id, name, aliases: [...aliases], ...withAddresses(address, mac) };
}

function withAddresses(address: string | undefined, mac: string | undefined) {
  return {
    ...(address === undefined ? {} : { address }),
    ...(mac === undefined ? {} : { mac }),
  };
}
