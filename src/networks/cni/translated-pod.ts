/**
 * The namespace of a pod whose guest has addresses that nobody chooses for it: those of a
 * confidential one are constants of its measured agent. The pod's address is translated to the
 * guest's, and back. So the guest takes nothing from its host, and the network of the node has an
 * ordinary pod.
 *
 * @module
 */
import { arpRules, GATEWAY_MAC } from '../host/routed.ts';
import { runProgram } from '../host/run-program.ts';
import { TAP } from '../host/tap.ts';
import { forwardPackets, ipBatch, lines, POD_DEVICE, podMtu } from './pod-namespace.ts';
import type { FixedGuest } from './pod-networks.ts';

export interface TranslatedPod {
  /** The pod's, in the network of the node. */
  readonly address: string;
  readonly mac: string;
  readonly guest: FixedGuest;
  /** Answers in place of the guest's constant server; undefined: nothing does. */
  readonly nameserver: string | undefined;
}

/** Connections that a guest has begun, at a time: the host remembers each of them. */
const MAX_FLOWS = 16_384;
/** Of IPv4 and of TCP. */
const HEADERS = 40;
/** Of a route that counts where there is no other. */
const LAST = 4_294_967_295;

/**
 * Makes routes and rules, once the namespace has both devices.
 *
 * @returns the largest packet that the network carries; the guest's may be larger
 */
export async function translatePod(namespace: string, pod: TranslatedPod): Promise<number> {
  const { address, mac, guest } = pod;
  const mtu = await podMtu(namespace);
  // Nothing is forwarded before all rules are there, which come at once or not at all.
  await runProgram('nft', ['-f', '-'], { namespace, input: translatingRules(pod, mtu) });
  // The guest's address may be another pod's in the network, for which that one answers.
  const isSame = address === guest.address;
  await forwardPackets(namespace, isSame ? [TAP, POD_DEVICE] : [TAP]);
  await ipBatch(namespace, '-4', [
    `link set ${TAP} address ${GATEWAY_MAC}`,
    `link set ${TAP} mtu ${guest.mtu} up`,
    ...(isSame ? [`route del local ${address} dev ${POD_DEVICE} table local`] : []),
    `route add ${guest.address}/32 dev ${TAP}`,
    `neigh add ${guest.address} lladdr ${mac} dev ${TAP} nud permanent`,
    // The guest asks who its gateway is, and is answered where a route leads to that address.
    `route append default dev ${POD_DEVICE} metric ${LAST}`,
  ]);
  return mtu;
}

/** The rules of the namespace, in the words of nft. */
export function translatingRules(
  { address, mac, guest, nameserver }: TranslatedPod,
  mtu: number,
): string {
  const constant = guest.address;
  return lines([
    'table inet pod {}',
    'delete table inet pod',
    'table inet pod {',
    'chain spoofed { type filter hook prerouting priority raw; policy accept;',
    `iifname ${TAP} meta protocol != ip drop`,
    `iifname ${TAP} ether saddr != ${mac} drop`,
    `iifname ${TAP} ip saddr != ${constant} drop`,
    // The pod's address alone leads to the guest.
    ...(address === constant ? [] : [`iifname ${POD_DEVICE} ip daddr ${constant} drop`]),
    '}',
    'chain to_host { type filter hook input priority filter; policy drop;',
    'iifname lo accept',
    '}',
    'set flows { type ipv4_addr; size 1; flags dynamic; }',
    'chain through { type filter hook forward priority filter; policy drop;',
    // They would leave with the guest's address.
    'ct state invalid drop',
    `tcp flags & (syn | rst) == syn tcp option maxseg size set ${mtu - HEADERS}`,
    `iifname ${TAP} ct state new add @flows { ip saddr ct count over ${MAX_FLOWS} } drop`,
    `iifname ${TAP} oifname ${POD_DEVICE} accept`,
    `oifname ${TAP} ip daddr ${constant} accept`,
    '}',
    'chain inward { type nat hook prerouting priority dstnat; policy accept;',
    ...(nameserver === undefined
      ? []
      : [
          `iifname ${TAP} ip daddr ${guest.nameserver} meta l4proto { tcp, udp } th dport 53 dnat ip to ${nameserver}`,
        ]),
    `ip daddr ${address} dnat ip to ${constant}`,
    '}',
    'chain outward { type nat hook postrouting priority srcnat; policy accept;',
    `oifname ${POD_DEVICE} ip saddr ${constant} snat ip to ${address}`,
    // The guest itself, by the pod's address, or a pod that has the guest's address in the network.
    `oifname ${TAP} ip saddr ${constant} snat ip to ${guest.gateway}`,
    '}',
    '}',
    'table arp pod {}',
    'delete table arp pod',
    ...arpRules('pod', { mac, address: constant }),
  ]);
}
