/**
 * The documents of networks, predefined and user-defined.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import type { Network } from '../../../docker-api/network.ts';
import { GUEST_NETWORK } from '../../../engine/network.ts';
import type { Endpoint, NetworkRecord } from '../../../networks/network.ts';
import { isPredefined } from '../../../networks/networks.ts';
import { BRIDGE, BRIDGE_SUBNET, type PredefinedNetwork } from '../../../networks/predefined.ts';
import { showEgress } from '../egress-request.ts';

export type AnyNetwork = NetworkRecord | PredefinedNetwork;

/** As it is listed: without the boxes in it. */
export function summarizeNetwork(network: AnyNetwork): Network {
  return isPredefined(network) ? describePredefined(network) : describe(network);
}

/** As it is inspected: with the running boxes in it. */
export function describeNetwork(
  { networks, store }: Pick<Runtime, 'networks' | 'store'>,
  network: AnyNetwork,
): Network {
  const Containers = Object.fromEntries(
    networks
      .endpointsOf(network.id)
      .map((endpoint) => [endpoint.box, describeEndpoint(endpoint, store.get(endpoint.box)?.name)]),
  );
  return { ...summarizeNetwork(network), Containers };
}

function describeEndpoint(
  { id, address, prefixLength, ipv6, mac }: Endpoint,
  name: string | undefined,
): Network['Containers'][string] {
  return {
    Name: name ?? '',
    EndpointID: id,
    MacAddress: mac,
    IPv4Address: `${address}/${prefixLength}`,
    IPv6Address: ipv6 === undefined ? '' : `${ipv6.address}/${ipv6.prefixLength}`,
  };
}

const COMMON = {
  Scope: 'local',
  Ingress: false,
  ConfigFrom: { Network: '' },
  ConfigOnly: false,
  Containers: {},
} as const;

function describe(network: NetworkRecord): Network {
  const { name, id, createdAt, subnet, gateway, ipRange, ipv6, internal, asked } = network;
  const { auxAddresses } = asked;
  const egress = showEgress(network.egress);
  return {
    ...{ Name: name, Id: id, Created: createdAt, Driver: 'bridge', ...COMMON },
    EnableIPv6: ipv6 !== undefined,
    IPAM: {
      Driver: 'default',
      Options: asked.withoutOptions === true ? null : {},
      Config: [
        {
          Subnet: subnet,
          ...(ipRange === undefined ? {} : { IPRange: ipRange }),
          Gateway: gateway,
          ...(Object.keys(auxAddresses).length === 0 ? {} : { AuxiliaryAddresses: auxAddresses }),
        },
        ...(ipv6 === undefined ? [] : [subnet6(ipv6)]),
      ],
    },
    Internal: internal,
    Attachable: network.attachable,
    Options: network.options,
    Labels: network.labels,
    ...(egress === null ? {} : { Egress: egress }),
  };
}

function describePredefined({ name, id, driver }: PredefinedNetwork): Network {
  const config =
    id === BRIDGE.id ? [{ Subnet: BRIDGE_SUBNET, Gateway: GUEST_NETWORK.gateway }] : [];
  return {
    ...{ Name: name, Id: id, Created: '1970-01-01T00:00:00Z', Driver: driver, ...COMMON },
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: config },
    ...{ Internal: false, Attachable: false, Options: {}, Labels: {} },
  };
}

function subnet6({
  subnet,
  gateway,
  ipRange,
  auxAddresses,
}: NonNullable<NetworkRecord['ipv6']>): Network['IPAM']['Config'][number] {
  return {
    Subnet: subnet,
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
    Gateway: gateway,
    ...(auxAddresses === undefined ? {} : { AuxiliaryAddresses: auxAddresses }),
  };
}
