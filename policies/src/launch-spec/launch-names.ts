/**
 * How names are resolved in a confidential box: more lines of `/etc/hosts`, and its resolver.
 *
 * Whom a name of the network leads to is the host's to decide, which forwards the box's packets. So
 * a resolver in the launch spec says what was asked for; a line of `/etc/hosts` is as measured.
 *
 * @module
 */
import * as z from 'zod';
import { BoxSpec, Host, Nic } from './box-spec.ts';

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

/**
 * Names that the host may give addresses of the box's networks: `--link` asks for them. A line of
 * `/etc/hosts` has such a name, wherever it leads.
 */
export const HostNames = z
  .array(Host.shape.name)
  .min(1)
  .max(256)
  .refine((names) => names.every((name, at) => at === 0 || (names[at - 1] ?? '') < name), {
    error: 'must be sorted, each once',
  })
  .refine((names) => new Set(names.map((name) => name.toLowerCase())).size === names.length, {
    error: 'must differ in more than their case',
  });

/** They lead to the box itself in every box. */
const OWN_NAMES = [
  ...['localhost', 'ip6-localhost', 'ip6-loopback'],
  ...['ip6-localnet', 'ip6-mcastprefix', 'ip6-allnodes', 'ip6-allrouters'],
];

/** Whether none of the host's names leads anywhere by the launch spec itself. */
export function namesAreFree({
  hostname,
  domainname,
  hosts = [],
  hostNames = [],
}: {
  readonly hostname: string;
  readonly domainname?: string | undefined;
  readonly hosts?: readonly { readonly name: string }[] | undefined;
  readonly hostNames?: readonly string[] | undefined;
}): boolean {
  const fixed = new Set(
    [
      ...OWN_NAMES,
      hostname,
      ...(domainname === undefined ? [] : [`${hostname}.${domainname}`]),
      ...hosts.map(({ name }) => name),
    ].map((name) => name.toLowerCase()),
  );
  return !hostNames.some((name) => fixed.has(name.toLowerCase()));
}

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
