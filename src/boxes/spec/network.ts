/**
 * The network of a box: its card, and its published ports.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { BoxSpec } from '@a3s-box/policies';
import { GUEST_NETWORK } from '../../engine/network.ts';
import type { BoxDefinition, Port } from '../record/box.ts';
import type { Names } from '../record/names.ts';
import { ownServers, resolverOf } from './resolver.ts';

/** The network card, as the box spec describes it. */
export function guestNic(mac: string, names: Names): Extract<BoxSpec['network'], { kind: 'nic' }> {
  const { address, prefixLength, gateway, nameserver, mtu } = GUEST_NETWORK;
  const nameservers = names.servers.length === 0 ? [nameserver] : ownServers(names);
  const resolver = { nameservers: [...nameservers], ...resolverOf(names) };
  return { kind: 'nic', mac, mtu, address, prefixLength, gateway, ...resolver };
}

/** A published port, as the engine describes it: where it comes to the box by IPv4, if it does. */
export function forward(port: Port): {
  hostIp: string;
  hostPort: number;
  boxPort: number;
  protocol: 'tcp' | 'udp';
} {
  const { hostIp, hostPort, boxPort, protocol, relay } = port;
  if (relay !== undefined) return { hostIp: '127.0.0.1', hostPort: relay, boxPort, protocol };
  return { hostIp, hostPort, boxPort, protocol };
}

/**
 * The hardware address of a box in its own network: the one that was chosen, or one that is locally
 * administered; the same for all its runs.
 */
export function macAddress({ id, mac }: Pick<BoxDefinition, 'id' | 'mac'>): string {
  if (mac !== undefined) return mac;
  const digits = createHash('sha256').update(`mac ${id}`).digest('hex').slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}
