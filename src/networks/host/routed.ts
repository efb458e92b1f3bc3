/**
 * The box's namespace routes between the network and the guest. The guest's layer 2 ends here:
 * nothing but IP packets with the box's own addresses leaves it.
 *
 * Proxy ARP answers for both sides, so that the guest may have an ordinary address of the network.
 *
 * @module
 */
import { LINK_LOCAL } from '../special-addresses.ts';
import { type Endpoint, isOwnNetwork } from './endpoint.ts';
import { writeSettings } from './namespace.ts';
import { UPLINK } from './netavark.ts';
import { PUBLISH_DEVICE, PUBLISHED } from './published.ts';
import { routeBox6, routeUplink6, rules6 } from './routed6.ts';
import { runProgram } from './run-program.ts';
import { TAP } from './tap.ts';

/** The namespace's own address on the tap device. */
export const INSIDE = '169.254.77.1';
/** In the holder, an address that leads to the host's own, which the holder has as well. */
export const HOST = '169.254.1.2';
/** Of the side of each tap device that is the namespace’s. */
export const GATEWAY_MAC = '9a:55:9a:55:9a:55';

/** The device through which published ports come, and the namespace's address on it. */
export const PUBLISH = {
  device: PUBLISH_DEVICE,
  address: '169.254.78.2',
  prefixLength: 30,
  gateway: '169.254.78.1',
} as const;
/** Boxes of its network that a box may send to within a minute: each takes an entry of a table. */
const MAX_PEERS = 256;
/** Connections of a box at a time. */
const MAX_FLOWS = 4096;
/** Questions of a box about names in a second. */
const QUESTIONS = 200;
/** Clients open connections in groups. */
const BURST = `burst ${QUESTIONS} packets`;

/** Makes the routes, once the namespace has both devices, and all rules. */
export async function routeBox(namespace: string, endpoint: Endpoint): Promise<void> {
  const { network, address, mac, cardMac = mac } = endpoint;
  await writeSettings(namespace, {
    ...(network.ipv6 === undefined ? { ipv6: { 'conf/all/disable_ipv6': 1 } } : {}),
    ipv4: {
      ip_forward: 1,
      'conf/all/rp_filter': 0,
      'conf/all/send_redirects': 0,
      // The sender would choose a way past the rules for destinations.
      'conf/all/accept_source_route': 0,
      ...Object.fromEntries(deviceSettings(TAP)),
    },
  });
  const commands = [
    // A guest that goes on elsewhere, as a fork does, knows its gateway by this address.
    `link set ${TAP} address ${GATEWAY_MAC}`,
    `link set ${TAP} mtu ${network.mtu} up`,
    `addr add ${INSIDE}/32 dev ${TAP}`,
    `route add ${address}/32 dev ${TAP}`,
    `neigh add ${address} lladdr ${cardMac} dev ${TAP} nud permanent`,
    // Published ports may come later, and come again: the table is empty without their device.
    `rule add fwmark ${PUBLISHED.mark} lookup ${PUBLISHED.table}`,
  ];
  await runProgram('ip', ['-batch', '-'], { namespace, input: lines(commands) });
  await routeBox6(namespace, endpoint);
  await routeUplink(namespace, network);
  await routeUplink6(namespace, endpoint);
}

/** Makes the routes of the device that leads to the network, which may have come anew. */
export async function routeUplink(namespace: string, network: Endpoint['network']): Promise<void> {
  await writeSettings(namespace, { ipv4: Object.fromEntries(deviceSettings(UPLINK)) });
  const commands = [
    `addr flush dev ${UPLINK} scope global`,
    `route replace ${network.subnet} dev ${UPLINK} scope link src ${INSIDE}`,
    ...(network.internal
      ? []
      : [`route replace default via ${network.gateway} dev ${UPLINK} src ${INSIDE}`]),
  ];
  await runProgram('ip', ['-4', '-batch', '-'], { namespace, input: lines(commands) });
}

/**
 * Loads the rules in place of those that are there, all at once or not at all.
 *
 * @param limits further rules, in the words of nft
 */
export async function loadRules(namespace: string, endpoint: Endpoint, limits = ''): Promise<void> {
  const before = ['inet', 'arp'].flatMap((family) => [
    `table ${family} box {}`,
    `delete table ${family} box`,
  ]);
  const input = `${lines(before)}${ruleset(endpoint)}${limits}`;
  await runProgram('nft', ['-f', '-'], { namespace, input });
}

/** Makes the routes of the device through which published ports come. */
export async function routePublished(namespace: string, mtu: number): Promise<void> {
  const { device, address, prefixLength, gateway } = PUBLISH;
  const commands = [
    `addr add ${address}/${prefixLength} dev ${device}`,
    `link set ${device} mtu ${mtu} up`,
    `route add default via ${gateway} dev ${device} table ${PUBLISHED.table}`,
  ];
  await runProgram('ip', ['-batch', '-'], { namespace, input: lines(commands) });
  await writeSettings(namespace, {
    ipv4: { [`conf/${device}/rp_filter`]: 0, [`conf/${device}/send_redirects`]: 0 },
  });
}

/** The rules of the namespace, in the words of nft. */
export function ruleset(endpoint: Endpoint): string {
  const { network, address, ports, host, egress, reaches = network.subnet } = endpoint;
  const { mac: ofNetwork, cardMac: mac = ofNetwork } = endpoint;
  const { device } = PUBLISH;
  const dnat = (match: string, to: string): string[] =>
    (['tcp', 'udp'] as const).flatMap((protocol) => {
      const published = ports.filter((port) => port.protocol === protocol);
      if (published.length === 0) return [];
      const numbers = [...new Set(published.map(({ boxPort }) => boxPort))].join(', ');
      return [`${match} ${protocol} dport { ${numbers} } dnat ${to}`];
    });
  const six = rules6(endpoint, dnat);
  const onlyIpv4 = six === undefined ? '' : ' meta nfproto ipv4';
  return lines([
    'table inet box {',
    'chain spoofed { type filter hook prerouting priority raw; policy accept;',
    `iifname ${TAP} meta protocol != ${six === undefined ? 'ip' : '{ ip, ip6 }'} drop`,
    `iifname ${TAP} ether saddr != ${mac} drop`,
    `iifname ${TAP} ip saddr != ${address} drop`,
    ...(six?.spoofed ?? []),
    // Nobody can answer to port 0.
    `iifname ${TAP} meta l4proto { tcp, udp } th sport 0 drop`,
    '}',
    'chain answers { type filter hook prerouting priority mangle; policy accept;',
    `iifname ${device} ct state new ct mark set ${PUBLISHED.mark}`,
    `iifname ${TAP} ct mark ${PUBLISHED.mark} meta mark set ${PUBLISHED.mark}`,
    '}',
    'chain to_host { type filter hook input priority filter; policy drop;',
    // A guest keeps the program that answers in place of servers no busier than this.
    `iifname ${TAP} meta l4proto udp limit rate over ${QUESTIONS}/second ${BURST} drop`,
    `iifname ${TAP} ct state new limit rate over ${QUESTIONS}/second ${BURST} drop`,
    'ct state established,related accept',
    'iifname lo accept',
    ...(six?.toHost ?? []),
    ...(egress === undefined ? [] : [`iifname ${TAP} ct status dnat accept`]),
    '}',
    // A guest fills neither tables of the host, which all namespaces share, nor those of the way
    // out.
    `set peers { type ipv4_addr; size ${MAX_PEERS}; flags dynamic,timeout; timeout 60s; }`,
    'set flows { type ipv4_addr; size 4; flags dynamic; }',
    ...(six?.sets ?? []),
    'chain through { type filter hook forward priority filter; policy drop;',
    'ct state established,related accept',
    `iifname ${TAP} ct state new add @flows { ip saddr ct count over ${MAX_FLOWS} } drop`,
    ...(host === undefined ? [] : [`iifname ${TAP} ip daddr ${HOST} ct status dnat accept`]),
    `iifname ${TAP} ip daddr ${LINK_LOCAL} reject`,
    `iifname ${TAP} udp dport 53 limit rate over ${QUESTIONS}/second drop`,
    ...(isOwnNetwork(network)
      ? []
      : [`iifname ${TAP} oifname ${UPLINK} ip daddr ${reaches} add @peers { ip daddr } accept`]),
    `iifname ${TAP} oifname ${UPLINK} ip daddr ${network.subnet} drop`,
    ...(six?.fromBox ?? []),
    ...(network.internal ? [] : [`iifname ${TAP} oifname ${UPLINK} meta nfproto ipv4 accept`]),
    `iifname ${TAP} reject`,
    ...(six?.toBox ?? []),
    // Boxes of this network alone: what comes from another one has the address of the gateway.
    `iifname ${UPLINK} ip saddr != ${reaches} drop`,
    `iifname ${UPLINK} ip saddr ${network.gateway} drop`,
    `iifname ${UPLINK} oifname ${TAP} ip daddr ${address} accept`,
    `iifname ${device} oifname ${TAP} ct status dnat accept`,
    '}',
    'chain published { type nat hook prerouting priority dstnat; policy accept;',
    ...(six?.published ?? []),
    ...dnat(`iifname ${device}${onlyIpv4}`, `ip to ${address}`),
    ...(host === undefined ? [] : [`iifname ${TAP} ip daddr ${host} dnat ip to ${HOST}`]),
    '}',
    // A client on the host's loopback: its connection begins in this namespace.
    'chain published_local { type nat hook output priority dstnat; policy accept;',
    ...dnat(`ip daddr ${PUBLISH.address}`, `ip to ${address}`),
    ...(six?.publishedLocal ?? []),
    '}',
    // The guest answers to its gateway, which is here.
    'chain source { type nat hook postrouting priority srcnat; policy accept;',
    ...(six?.source ?? []),
    `oifname ${TAP}${onlyIpv4} ct status dnat snat ip to ${network.gateway}`,
    '}',
    '}',
    ...arpRules('box', { mac, address }),
  ]);
}

/**
 * Rules that take questions for hardware addresses from the guest alone. Each sender of one gets an
 * entry in a table that all namespaces of the host share.
 *
 * @param table its name
 * @param address that the guest has on its card
 */
export function arpRules(
  table: string,
  { mac, address }: { readonly mac: string; readonly address: string },
): string[] {
  return [
    `table arp ${table} {`,
    'chain spoofed { type filter hook input priority filter; policy accept;',
    `iifname ${TAP} arp saddr ether != ${mac} drop`,
    `iifname ${TAP} arp saddr ip != ${address} drop`,
    '}',
    '}',
  ];
}

/** The namespace answers for every address that it has a route to, without delay. */
function deviceSettings(device: string): [string, number][] {
  return [
    [`conf/${device}/proxy_arp`, 1],
    [`conf/${device}/send_redirects`, 0],
    // The rules check what comes from the guest. Answers to a published port come another way.
    [`conf/${device}/rp_filter`, 0],
    // Namespaces of other boxes ask from the same address, which each of them has.
    [`conf/${device}/accept_local`, 1],
    [`neigh/${device}/proxy_delay`, 0],
  ];
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
