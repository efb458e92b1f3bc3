/**
 * What the host needs to know of a box in a network. It is kept in a file beside the namespace, so
 * that a later server can repair what has ended.
 *
 * @module
 */
import * as z from 'zod';
import { Egress } from '../egress/egress.ts';
import { BRIDGE } from '../predefined.ts';

const PublishedPort = z.strictObject({
  hostIp: z.string(),
  hostPort: z.int().min(1).max(65_535),
  boxPort: z.int().min(1).max(65_535),
  protocol: z.enum(['tcp', 'udp']),
});
/** A published port. */
export type PublishedPort = z.infer<typeof PublishedPort>;

const HostNetwork = z.strictObject({
  /** 64 lower-case hexadecimal digits. */
  id: z.string(),
  /** In CIDR notation. */
  subnet: z.string(),
  gateway: z.string(),
  /** Nothing outside of the network can be reached. */
  internal: z.boolean(),
  mtu: z.int(),
  /** Absent: its boxes have no IPv6. */
  ipv6: z.strictObject({ subnet: z.string(), gateway: z.string() }).optional(),
});

export const Endpoint = z.strictObject({
  /** The box's id. */
  box: z.string(),
  /** The box's name, and other names that it has in this network. */
  names: z.array(z.string()).readonly(),
  network: HostNetwork,
  address: z.string(),
  /** In a network with IPv6. */
  address6: z.string().optional(),
  mac: z.string(),
  /** That of its card, behind the namespace, where it is another one. */
  cardMac: z.string().optional(),
  /**
   * The addresses of the network that the box reaches and that reach it, in the words of nft.
   * Absent: all of the subnet.
   */
  reaches: z.string().optional(),
  ports: z.array(PublishedPort).readonly(),
  /** DNS servers that are asked for names of no box. Absent or empty: the host's resolver. */
  nameservers: z.array(z.string()).readonly().optional(),
  /** An address of the host at which the box may reach it. */
  host: z.string().optional(),
  /** In a network that the box has to itself: an address that leads to the host's resolver. */
  resolver: z.string().optional(),
  /** Absent: the box reaches what its host reaches. */
  egress: Egress.optional(),
});
/** A box in a network. */
export type Endpoint = z.infer<typeof Endpoint>;

/** Whether the network is the box's own, Docker's `bridge`, in which no other box is. */
export function isOwnNetwork(network: Pick<Endpoint['network'], 'id'>): boolean {
  return network.id === BRIDGE.id;
}
