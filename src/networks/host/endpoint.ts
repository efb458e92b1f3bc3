/**
 * What the host needs to know of a box in a network.
 *
 * @module
 */

/** A published port. */
export interface PublishedPort {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly boxPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** A user-defined network, as the host makes it. */
export interface HostNetwork {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  /** In CIDR notation. */
  readonly subnet: string;
  readonly gateway: string;
  /** Nothing outside of the network can be reached. */
  readonly internal: boolean;
  readonly mtu: number;
}

/** A box in a network. */
export interface Endpoint {
  /** The box's id. */
  readonly box: string;
  /** The box's name, and other names that it has in this network. */
  readonly names: readonly string[];
  readonly network: HostNetwork;
  readonly address: string;
  readonly mac: string;
  readonly ports: readonly PublishedPort[];
  /** DNS servers that are asked for names of no box. Absent or empty: the host's resolver. */
  readonly nameservers?: readonly string[] | undefined;
  /** An address of the host at which the box may reach it. */
  readonly host?: string | undefined;
}
