/**
 * A port that is published at an IPv6 address of the host, of a box that has no IPv6: a program
 * leads it to a port of the host's own IPv4 loopback, which leads to the box.
 *
 * @module
 */
import * as z from 'zod';

const Number16 = z.coerce.number().int().min(1).max(65_535);

const RelayedPort = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  /** An IPv6 address of the host, or `::` for all of them. */
  hostIp: z.ipv6(),
  hostPort: Number16,
  /** The port of 127.0.0.1. */
  to: Number16,
});
export type RelayedPort = z.infer<typeof RelayedPort>;

/** As an argument of the program, by which a later server knows what it leads where. */
export function relayArgument({ protocol, hostIp, hostPort, to }: RelayedPort): string {
  return [protocol, hostIp, hostPort, to].join(',');
}

export function parseRelayArgument(text: string): RelayedPort {
  const [protocol, hostIp, hostPort, to] = text.split(',');
  return RelayedPort.parse({ protocol, hostIp, hostPort, to });
}

/** What the program says once on its standard output: that all is open, or which port is not. */
export const Opened = z.union([
  z.strictObject({ open: z.literal(true) }),
  z.strictObject({ open: z.literal(false), code: z.string(), port: RelayedPort }),
]);
export type Opened = z.infer<typeof Opened>;
