/**
 * IPv6 of a box. Its namespace routes as it does for IPv4, and nothing of a guest's neighbour
 * discovery leaves its link: the guest knows its router for good, the namespace knows the guest,
 * and answers for it towards the network.
 *
 * @module
 */
import { HOST_SUBNETS6 } from '../special-addresses.ts';
import type { Endpoint } from './endpoint.ts';
import { writeSettings } from './namespace.ts';
import { UPLINK } from './netavark.ts';
import { PUBLISH_DEVICE, PUBLISHED } from './published.ts';
import { runProgram } from './run-program.ts';
import { TAP } from './tap.ts';

/** The guest's name for its router. Nobody has the address: the guest knows what it leads to. */
export const ROUTER6 = 'fe80::1';
/** The namespace's own address on the tap device. Of RFC 6666, so that it is nobody else's. */
export const INSIDE6 = '100::1';
/** The namespace's address on the device through which published ports come. */
export const PUBLISH6 = { address: '100::4e:2', prefixLength: 126, gateway: '100::4e:1' } as const;
/** Boxes of its network that a box may send to within a minute: each takes an entry of a table. */
const MAX_PEERS = 256;
/** Connections of a box at a time. */
const MAX_FLOWS = 4096;
/** Queries and reports of groups, and all of neighbour discovery: RFC 2710, 3810, 4861. */
export const LINK_MESSAGES = '{ 130-137, 143 }';

/** Rules of a namespace, by the chain that has them. */
interface Rules6 {
  readonly spoofed: readonly string[];
  readonly toHost: readonly string[];
  readonly sets: readonly string[];
  /** In the chain of what is forwarded: from the guest, before all else of it is refused. */
  readonly fromBox: readonly string[];
  readonly toBox: readonly string[];
  readonly published: readonly string[];
  readonly publishedLocal: readonly string[];
  readonly source: readonly string[];
}

/**
 * @param dnat what leads published ports to the box
 * @returns undefined where the box has no IPv6
 */
export function rules6(
  { network: { ipv6, internal }, address6 }: Endpoint,
  dnat: (match: string, to: string) => readonly string[],
): Rules6 | undefined {
  if (ipv6 === undefined || address6 === undefined) return undefined;
  const { subnet, gateway } = ipv6;
  return {
    spoofed: [
      `iifname ${TAP} ip6 saddr != ${address6} drop`,
      `iifname ${TAP} icmpv6 type ${LINK_MESSAGES} drop`,
    ],
    toHost: [
      `iifname { ${UPLINK}, ${PUBLISH_DEVICE} } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`,
    ],
    sets: [
      `set peers6 { type ipv6_addr; size ${MAX_PEERS}; flags dynamic,timeout; timeout 60s; }`,
      'set flows6 { type ipv6_addr; size 4; flags dynamic; }',
    ],
    fromBox: [
      `iifname ${TAP} ct state new add @flows6 { ip6 saddr ct count over ${MAX_FLOWS} } drop`,
      `iifname ${TAP} oifname ${UPLINK} ip6 daddr ${subnet} add @peers6 { ip6 daddr } accept`,
      `iifname ${TAP} oifname ${UPLINK} ip6 daddr ${subnet} drop`,
      `iifname ${TAP} ip6 daddr { ${HOST_SUBNETS6.join(', ')} } reject`,
      ...(internal ? [] : [`iifname ${TAP} oifname ${UPLINK} meta nfproto ipv6 accept`]),
    ],
    // Boxes of this network alone: what comes from another one has the address of the gateway.
    toBox: [
      `iifname ${UPLINK} ip6 saddr != ${subnet} drop`,
      `iifname ${UPLINK} ip6 saddr ${gateway} drop`,
      `iifname ${UPLINK} oifname ${TAP} ip6 daddr ${address6} accept`,
    ],
    published: dnat(`iifname ${PUBLISH_DEVICE} meta nfproto ipv6`, `ip6 to ${address6}`),
    publishedLocal: dnat(`ip6 daddr ${PUBLISH6.address}`, `ip6 to ${address6}`),
    source: [`oifname ${TAP} meta nfproto ipv6 ct status dnat snat ip6 to ${gateway}`],
  };
}

/** Makes the routes to the guest, once the tap device is up. */
export async function routeBox6(
  namespace: string,
  { network: { ipv6 }, address6, mac, cardMac = mac }: Endpoint,
): Promise<void> {
  if (ipv6 === undefined || address6 === undefined) return;
  await writeSettings(namespace, { ipv6: { ...settings6(TAP), 'conf/all/forwarding': 1 } });
  const commands = [
    `route add ${address6}/128 dev ${TAP}`,
    `neigh add ${address6} lladdr ${cardMac} dev ${TAP} nud permanent`,
    `addr add ${INSIDE6}/128 dev ${TAP} nodad`,
    `rule add fwmark ${PUBLISHED.mark} lookup ${PUBLISHED.table}`,
  ];
  await runProgram('ip', ['-6', '-batch', '-'], { namespace, input: lines(commands) });
}

/** Makes the routes of the device that leads to the network, which netavark gave the address. */
export async function routeUplink6(
  namespace: string,
  { network: { ipv6, internal }, address6 }: Endpoint,
): Promise<void> {
  if (ipv6 === undefined || address6 === undefined) return;
  await writeSettings(namespace, {
    ipv6: {
      ...settings6(UPLINK),
      [`conf/${UPLINK}/proxy_ndp`]: 1,
      [`neigh/${UPLINK}/proxy_delay`]: 0,
    },
  });
  const commands = [
    `addr flush dev ${UPLINK} scope global`,
    'route flush default',
    `route replace ${ipv6.subnet} dev ${UPLINK}`,
    `neigh replace proxy ${address6} dev ${UPLINK}`,
    ...(internal ? [] : [`route replace default via ${ipv6.gateway} dev ${UPLINK} src ${INSIDE6}`]),
  ];
  await runProgram('ip', ['-6', '-batch', '-'], { namespace, input: lines(commands) });
}

/** Makes the routes of the device through which published ports come, where it carries IPv6. */
export async function routePublished6(namespace: string): Promise<void> {
  await writeSettings(namespace, { ipv6: settings6(PUBLISH_DEVICE) });
  const { address, prefixLength, gateway } = PUBLISH6;
  const commands = [
    `addr add ${address}/${prefixLength} dev ${PUBLISH_DEVICE} nodad`,
    `route add default via ${gateway} dev ${PUBLISH_DEVICE} table ${PUBLISHED.table}`,
  ];
  await runProgram('ip', ['-6', '-batch', '-'], { namespace, input: lines(commands) });
}

/** Nothing is taken from what routers of the link say. */
export function settings6(device: string): Readonly<Record<string, number>> {
  return {
    [`conf/${device}/accept_ra`]: 0,
    [`conf/${device}/accept_redirects`]: 0,
    [`conf/${device}/accept_dad`]: 0,
  };
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
