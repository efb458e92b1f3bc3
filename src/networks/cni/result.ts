/**
 * What plugins of CNI answer to ADD (SPEC.md, section 5), and what a pod gets of it.
 *
 * @module
 */
import { isIPv4 } from 'node:net';
import * as z from 'zod';
import { formatAddress, parseAddress, parseCidr } from '../ipv4.ts';
import { contains6, formatAddress6, parseCidr6, readSubnet6 } from '../ipv6.ts';

export const CniResult = z.looseObject({
  interfaces: z
    .array(z.looseObject({ name: z.string(), sandbox: z.string().optional() }))
    .optional(),
  ips: z
    .array(
      z.looseObject({
        address: z.string(),
        gateway: z.string().optional(),
        interface: z.int().optional(),
      }),
    )
    .optional(),
  dns: z
    .looseObject({
      nameservers: z.array(z.string()).optional(),
      domain: z.string().optional(),
      search: z.array(z.string()).optional(),
      options: z.array(z.string()).optional(),
    })
    .optional(),
});
export type CniResult = z.infer<typeof CniResult>;

/** An address of each family; a pod has the first one that the plugins name. */
export interface PodAddresses {
  readonly ipv4: { readonly address: string; readonly prefixLength: number; gateway: string };
  /** Undefined: none that a guest can have. */
  readonly ipv6: { readonly address: string; readonly prefixLength: number } | undefined;
}

/** @returns undefined where no IPv4 address is among them */
export function podAddresses(result: CniResult, device: string): PodAddresses | undefined {
  const own = (result.ips ?? []).filter(({ interface: at }) => {
    const found = at === undefined ? undefined : result.interfaces?.[at];
    return found === undefined || (found.name === device && (found.sandbox ?? '') !== '');
  });
  const four = own.find(({ address }) => parseCidr(address) !== undefined);
  if (four === undefined) return undefined;
  const [six] = own.flatMap(({ address }) => hostAddress6(address) ?? []);
  return { ipv4: onLink(four.address, four.gateway), ipv6: six };
}

/** The longest prefix that has room for a gateway and for the guest. */
const LONGEST = 30;
/** In place of the prefix of an address that has none, as plugins that route give it. */
const USUAL = 24;

/**
 * A guest needs a gateway on its own link. Whatever it names there is answered for by the pod's
 * namespace, which routes as the plugins have set it up.
 */
function onLink(cidr: string, asked: string | undefined): PodAddresses['ipv4'] {
  const { address, bits } = parseCidr(cidr) ?? { address: 0, bits: 0 };
  const prefixLength = bits > LONGEST || bits === 0 ? USUAL : bits;
  const size = 2 ** (32 - prefixLength);
  const base = address - (address % size);
  const given = asked === undefined || !isIPv4(asked) ? undefined : parseAddress(asked);
  const isUsable = given !== undefined && given >= base && given < base + size && given !== address;
  const other = address === base + 1 ? base + 2 : base + 1;
  return {
    address: formatAddress(address),
    prefixLength,
    gateway: formatAddress(isUsable ? given : other),
  };
}

/** No host has one of these for others: the loopback, those of one link, and groups. */
const NO_HOST6 = ['::/64', 'fe80::/10', 'ff00::/8'].map(readSubnet6);
/** What a guest takes; others are of plugins that route, or no prefix of a link. */
const PREFIXES6 = { shortest: 8, longest: 126, usual: 64 } as const;

/** The guest has its way to the prefix by its router, whatever the plugins name. */
function hostAddress6(cidr: string): PodAddresses['ipv6'] {
  const found = parseCidr6(cidr);
  if (found === undefined || NO_HOST6.some((subnet) => contains6(subnet, found.address))) {
    return undefined;
  }
  const { shortest, longest, usual } = PREFIXES6;
  const isUsable = found.bits >= shortest && found.bits <= longest;
  return {
    address: formatAddress6(found.address),
    prefixLength: isUsable ? found.bits : usual,
  };
}
