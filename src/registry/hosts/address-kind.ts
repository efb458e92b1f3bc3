/**
 * Classifies addresses: those of this host itself, and those of services that only its own link
 * has.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net';

/** `elsewhere` is another host, as far as an address shows. */
export type AddressKind = 'loopback' | 'link-local' | 'elsewhere';

// IPv4 addresses that are mapped into IPv6 are compared with these as well.
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
// A connection to an unspecified address is one to this host.
LOOPBACK.addSubnet('0.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::', 'ipv6');

const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');

/** @param address of IPv4 or IPv6, with a zone or without */
export function addressKind(address: string): AddressKind {
  const [bare = ''] = address.split('%');
  const family = isIP(bare) === 6 ? 'ipv6' : 'ipv4';
  if (LOOPBACK.check(bare, family)) return 'loopback';
  return LINK_LOCAL.check(bare, family) ? 'link-local' : 'elsewhere';
}
