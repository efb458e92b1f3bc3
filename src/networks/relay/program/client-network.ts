/**
 * The network that a client comes from.
 *
 * @module
 */
import { parseAddress6 } from '../../ipv6.ts';

/** What a host of IPv6 chooses by itself, again and again: RFC 4291, 2.5.1. */
const INTERFACE_BITS = 64n;

/** The part of an address that says where a host is. */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  const number = parseAddress6(plain);
  return number === undefined ? address : String(number >> INTERFACE_BITS);
}
