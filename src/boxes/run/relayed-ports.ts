/**
 * Ports at IPv6 addresses of the host that lead to a box by IPv4.
 *
 * @module
 */
import type { RelayedPort } from '../../networks/relay/relayed-port.ts';
import type { Port } from '../record/box.ts';

/** What leads them to the loopback, from which they come to the box as any other port. */
export function relayedPorts(ports: readonly Port[]): RelayedPort[] {
  return ports.flatMap(({ protocol, hostIp, hostPort, relay: to }) =>
    to === undefined ? [] : [{ protocol, hostIp, hostPort, to }],
  );
}
