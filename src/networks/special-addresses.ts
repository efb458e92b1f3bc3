/**
 * Addresses with a meaning of their own, in CIDR notation.
 *
 * @module
 */

/** Metadata services of clouds are there, and the addresses of boxes' namespaces. */
export const LINK_LOCAL = '169.254.0.0/16';

/** Addresses that lead to the host itself, to its link or nowhere: no rule opens one. */
export const NEVER_REACHED_SUBNETS = [
  '0.0.0.0/8',
  // Alibaba's metadata service, which hands out what the host is trusted with.
  '100.100.100.200/32',
  '127.0.0.0/8',
  // Azure's WireServer, which does so too.
  '168.63.129.16/32',
  LINK_LOCAL,
  '192.0.0.0/24',
  '224.0.0.0/3',
] as const;

/** Other addresses that are not public. A rule may open them. */
const PRIVATE_SUBNETS = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
] as const;

/** Addresses that are not public. */
export const SPECIAL_SUBNETS = [...NEVER_REACHED_SUBNETS, ...PRIVATE_SUBNETS] as const;

/**
 * What no box reaches, with or without a policy: the host, its link, and metadata services beside
 * it, of Amazon, Oracle, Scaleway and Google, and those of 169.254.0.0/16 behind a translator
 * (RFC 6052).
 */
export const HOST_SUBNETS6 = [
  // The loopback, and IPv4 addresses in the form of IPv6 (RFC 4291, 2.5.5): a socket of IPv6 that
  // connects to one of them reaches IPv4, and so the loopback of the host.
  '::/64',
  'fe80::/10',
  'fd00:ec2::/32',
  'fd00:c1::a9fe:a9fe/128',
  'fd00:42::42/128',
  'fd20:ce::254/128',
  '64:ff9b::a9fe:0/112',
] as const;

/** The same as for IPv4: no rule opens one. */
export const NEVER_REACHED_SUBNETS6 = [
  ...HOST_SUBNETS6,
  // They lead nowhere (RFC 6666), so that namespaces of boxes have their own addresses there.
  '100::/64',
  // The other IPv4 addresses that no rule opens, behind a translator.
  ...['64:ff9b::/104', '64:ff9b::6464:64c8/128', '64:ff9b::7f00:0/104', '64:ff9b::a83f:8110/128'],
  ...['64:ff9b::c000:0/120', '64:ff9b::e000:0/99'],
  'ff00::/8',
] as const;

const PRIVATE_SUBNETS6 = [
  // Translators, and tunnels, lead to IPv4 addresses that rules would have to name.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
  'fc00::/7',
  'fec0::/10',
] as const;

export const SPECIAL_SUBNETS6 = [...NEVER_REACHED_SUBNETS6, ...PRIVATE_SUBNETS6] as const;
