/**
 * Ports that are published at IPv6 addresses of the host: they lead to the IPv6 of a box.
 *
 * @module
 */
import { isIPv6 } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Networks } from '../../networks/networks.ts';
import type { Port } from '../record/box.ts';

/**
 * @throws A3sError `unsupported-option` for a port at an IPv6 address of a box that is in no
 * network with IPv6 that publishes ports
 */
export function expectIpv6ForPorts(
  networks: Pick<Networks, 'get'>,
  ports: readonly Port[],
  endpoints: readonly { readonly network: string }[],
): void {
  const places = endpoints.map(({ network }) => networks.get(network));
  const hasIpv6 = places.some((place) => place?.ipv6 !== undefined && !place.internal);
  if (!hasIpv6) expectIpv4Ports(ports);
}

/** @throws A3sError `unsupported-option` */
export function expectIpv4Ports(ports: readonly Port[]): void {
  const port = ports.find(({ hostIp }) => isIPv6(hostIp));
  if (port === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot publish [${port.hostIp}]:${port.hostPort}: the box has no IPv6`,
    {
      remedy:
        'Put the box into a network with IPv6 (network create --ipv6), or publish at an IPv4 address, such as 127.0.0.1 or 0.0.0.0.',
    },
  );
}
