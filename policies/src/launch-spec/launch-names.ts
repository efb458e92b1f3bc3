/**
 * How names are resolved in a confidential box: more lines of `/etc/hosts`, and its resolver.
 *
 * Whom a name of the network leads to is the host's to decide, which forwards the box's packets. So
 * a resolver in the launch spec says what was asked for; a line of `/etc/hosts` is as measured.
 *
 * @module
 */
import * as z from 'zod';
import { BoxSpec, Nic } from './box-spec.ts';

/** Of an IPv6 address that is an IPv4 one, other programs have another spelling. */
const MAPPED = /^::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/;

/** An address of IPv6 has one spelling here, that of RFC 5952. */
function isCanonical(address: string): boolean {
  if (!address.includes(':')) return true;
  return !MAPPED.test(address) && new URL(`http://[${address}]/`).hostname === `[${address}]`;
}

/** Of one name, the address of the first line comes first. */
export const LaunchHosts = BoxSpec.shape.hosts
  .unwrap()
  .min(1)
  .refine((hosts) => hosts.every(({ address }) => isCanonical(address)), {
    error: 'must have IPv6 addresses in their one spelling',
  })
  .refine(
    (hosts) => hosts.every(({ name }, at) => at === 0 || (hosts[at - 1]?.name ?? '') <= name),
    { error: 'must be sorted by name' },
  );

const { nameservers, search, options } = Nic.shape;

/** In the order in which they are asked. What is absent is as in a box that asks for nothing. */
export const LaunchResolver = z
  .strictObject({
    nameservers: nameservers.min(1).optional(),
    search: search.min(1).optional(),
    options: options.unwrap().min(1).optional(),
  })
  .refine((resolver) => Object.values(resolver).some((list) => list !== undefined), {
    error: 'must say something',
  });
