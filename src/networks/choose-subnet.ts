/**
 * Chooses the subnet of a network whose user gave none.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { lastOf, overlap, readSubnet, type Subnet, sizeOf } from './ipv4.ts';

/** Private addresses, in the order in which they are given out. Podman begins with the same. */
const POOLS: readonly (readonly [first: string, last: string])[] = [
  ['10.89.0.0/16', '10.255.0.0/16'],
  ['172.16.0.0/16', '172.31.0.0/16'],
  ['192.168.0.0/16', '192.168.0.0/16'],
];
const CHOSEN_BITS = 24;

/**
 * @param taken subnets of other networks and of the host
 * @throws A3sError `invalid-argument` where none is left, in Docker's words
 */
export function chooseSubnet(taken: readonly Subnet[]): Subnet {
  for (const [from, to] of POOLS) {
    const end = lastOf(readSubnet(to));
    let candidate: Subnet = { base: readSubnet(from).base, bits: CHOSEN_BITS };
    while (candidate.base < end) {
      const current = candidate;
      const other = taken.find((each) => overlap(each, current));
      if (other === undefined) return candidate;
      // A route may lead to all of them: what it covers is left out in one step.
      candidate = { base: after(current, other), bits: CHOSEN_BITS };
    }
  }
  throw new A3sError('invalid-argument', 'all predefined address pools have been fully subnetted', {
    remedy: 'Give a subnet with --subnet, or remove networks.',
  });
}

/** The base of the first subnet of the chosen size that is past both. */
function after(candidate: Subnet, other: Subnet): number {
  const size = sizeOf(candidate);
  const end = Math.max(lastOf(candidate), lastOf(other)) + 1;
  return Math.ceil(end / size) * size;
}
