/**
 * The networks of a box, as an inspection and a list show them.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { BoxEndpoint } from '../../../../boxes/record/endpoint.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import type { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { GUEST_NETWORK } from '../../../../engine/network.ts';
import type { Endpoint } from '../../../../networks/network.ts';
import { hasVm, ownName } from './show.ts';

type Networks = ContainerInspect['NetworkSettings']['Networks'];

const NO_IPV6 = { IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0 } as const;

const NO_ADDRESS = { Gateway: '', IPAddress: '', IPPrefixLen: 0 };

/** The address in the default network: each box has the same one, in a network of its own. */
export function addressOf(box: Box) {
  if (!hasVm(box) || box.definition.network !== 'default') return NO_ADDRESS;
  const { gateway, address, prefixLength } = GUEST_NETWORK;
  return { Gateway: gateway, IPAddress: address, IPPrefixLen: prefixLength };
}

/** By name. A user-defined network that is gone is shown as it was asked for. */
export function endpointsOf(rt: Pick<Runtime, 'networks'>, box: Box): Networks {
  const { network, endpoints, mac, ownDriverOptions, ownLinkLocal } = box.definition;
  const own =
    network === 'user'
      ? {}
      : {
          [ownName(box)]: {
            IPAMConfig: ownLinkLocal === undefined ? null : { LinkLocalIPs: ownLinkLocal },
            ...{ Links: null, Aliases: null, DNSNames: null },
            // As it was chosen: a microVM of a pool brings its own.
            MacAddress: mac ?? '',
            DriverOpts: ownDriverOptions ?? null,
            ...{ ...addressOf(box), NetworkID: '', EndpointID: '', ...NO_IPV6 },
          },
        };
  const users = endpoints.map((endpoint) => [
    rt.networks.get(endpoint.network)?.name ?? endpoint.name,
    endpointOf(rt, box, endpoint),
  ]);
  return { ...own, ...Object.fromEntries(users) };
}

function endpointOf(
  { networks }: Pick<Runtime, 'networks'>,
  { name, definition: { id } }: Box,
  endpoint: BoxEndpoint,
): Networks[string] {
  const { network, aliases, address, address6, mac, driverOptions, gatewayPriority } = endpoint;
  const { links, linkLocal } = endpoint;
  const attached = networks.endpointsOfBox(id).find((each) => each.network === network);
  const shown =
    attached === undefined
      ? NO_ADDRESS
      : {
          Gateway: attached.gateway,
          IPAddress: attached.address,
          IPPrefixLen: attached.prefixLength,
        };
  return {
    IPAMConfig:
      address === undefined && address6 === undefined && linkLocal === undefined
        ? null
        : {
            ...(address === undefined ? {} : { IPv4Address: address }),
            ...(address6 === undefined ? {} : { IPv6Address: address6 }),
            ...(linkLocal === undefined ? {} : { LinkLocalIPs: linkLocal }),
          },
    Links: links ?? null,
    Aliases: aliases.length === 0 ? null : aliases,
    MacAddress: attached?.mac ?? mac ?? '',
    DriverOpts: driverOptions ?? null,
    ...(gatewayPriority === undefined ? {} : { GwPriority: gatewayPriority }),
    DNSNames: [...new Set([name, ...aliases, id.slice(0, 12)])],
    NetworkID: network,
    EndpointID: attached?.id ?? '',
    ...{ ...shown, ...shownIpv6(attached?.ipv6) },
  };
}

function shownIpv6(ipv6: Endpoint['ipv6']) {
  if (ipv6 === undefined) return NO_IPV6;
  const { address, prefixLength, gateway } = ipv6;
  return {
    IPv6Gateway: gateway,
    GlobalIPv6Address: address,
    GlobalIPv6PrefixLen: prefixLength,
  };
}
