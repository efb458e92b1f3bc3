/**
 * An address of this host that others could reach.
 *
 * @module
 */
import { networkInterfaces } from 'node:os';

/** IPv4, neither of the loopback nor of a link alone. */
export function hostAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(
      ({ family, internal, address }) =>
        family === 'IPv4' && !internal && !address.startsWith('169.254.'),
    );
  if (found === undefined) throw new Error('this host has no IPv4 address beside the loopback');
  return found.address;
}
