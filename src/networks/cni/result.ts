/**
 * What plugins of CNI answer to ADD (SPEC.md, section 5), and what a pod gets of it.
 *
 * @module
 */
import { isIPv4, isIPv6 } from 'node:net';
import * as z from 'zod';
import { formatAddress, parseAddress, parseCidr } from '../ipv4.ts';

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
  readonly address6: string | undefined;
}

/** @returns undefined where no IPv4 address is among them */
export function podAddresses(result: CniResult, device: string): PodAddresses | undefined {
  const own = (result.ips ?? []).filter(({ interface: at }) => {
    const found = at === undefined ? undefined : result.interfaces?.[at];
    return found === undefined || (found.name === device && (found.sandbox ?? '') !== '');
  });
  const four = own.find(({ address }) => parseCidr(address) !== undefined);
  if (four === undefined) return undefined;
  const six = own
    .map(({ address }) => address.split('/')[0] ?? '')
    .find((address) => isIPv6(address));
  return { ipv4: onLink(four.address, four.gateway), address6: six };
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
