/**
 * The namespace of a pod routes between the device that plugins of CNI have made, and the tap
 * device of the guest. The guest's layer 2 ends here, and nothing leaves it but packets with the
 * pod's own addresses. What the pod may reach is the business of the plugins, on their side.
 *
 * @module
 */
import { arpRules, GATEWAY_MAC } from '../host/routed.ts';
import { LINK_MESSAGES, settings6 } from '../host/routed6.ts';
import { runProgram } from '../host/run-program.ts';
import { TAP } from '../host/tap.ts';
import { forwardPackets, ipBatch, lines, POD_DEVICE, podMtu } from './pod-namespace.ts';

export interface RoutedPod {
  readonly address: string;
  readonly address6: string | undefined;
  readonly mac: string;
}

/**
 * Makes routes and rules, once the namespace has both devices.
 *
 * @returns the largest packet that the network carries
 */
export async function routePod(namespace: string, pod: RoutedPod): Promise<number> {
  const mtu = await podMtu(namespace);
  // Nothing is forwarded before all rules are there, which come at once or not at all.
  await runProgram('nft', ['-f', '-'], { namespace, input: podRules(pod) });
  const ipv6 =
    pod.address6 === undefined
      ? {}
      : {
          ...{ 'conf/all/forwarding': 1, ...settings6(TAP), ...settings6(POD_DEVICE) },
          // Neighbours that ask the address itself are answered here, and not led to the guest.
          'conf/all/proxy_ndp': 1,
        };
  await forwardPackets(namespace, [TAP, POD_DEVICE], ipv6);
  const { address, address6, mac } = pod;
  await ipBatch(namespace, '-4', [
    `link set ${TAP} address ${GATEWAY_MAC}`,
    `link set ${TAP} mtu ${mtu} up`,
    // The device keeps its address, as plugins check it, and all routes. But the namespace no
    // longer takes packets to that address for its own.
    `route del local ${address} dev ${POD_DEVICE} table local`,
    `route add ${address}/32 dev ${TAP}`,
    `neigh add ${address} lladdr ${mac} dev ${TAP} nud permanent`,
  ]);
  if (address6 === undefined) return mtu;
  await ipBatch(namespace, '-6', [
    `route del local ${address6} dev ${POD_DEVICE} table local`,
    `route add ${address6}/128 dev ${TAP}`,
    `neigh add ${address6} lladdr ${mac} dev ${TAP} nud permanent`,
    `neigh replace proxy ${address6} dev ${POD_DEVICE}`,
  ]);
  return mtu;
}

/** The rules of the namespace, in the words of nft. They remember no connections. */
export function podRules({ address, address6, mac }: RoutedPod): string {
  const six = address6 !== undefined;
  return lines([
    'table inet pod {}',
    'delete table inet pod',
    'table inet pod {',
    'chain spoofed { type filter hook prerouting priority raw; policy accept;',
    `iifname ${TAP} meta protocol != ${six ? '{ ip, ip6 }' : 'ip'} drop`,
    `iifname ${TAP} ether saddr != ${mac} drop`,
    `iifname ${TAP} ip saddr != ${address} drop`,
    ...(six
      ? [
          `iifname ${TAP} ip6 saddr != ${address6} drop`,
          `iifname ${TAP} icmpv6 type ${LINK_MESSAGES} drop`,
        ]
      : []),
    '}',
    'chain to_host { type filter hook input priority filter; policy drop;',
    'iifname lo accept',
    ...(six
      ? [`iifname ${POD_DEVICE} icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`]
      : []),
    '}',
    'chain through { type filter hook forward priority filter; policy drop;',
    `iifname ${TAP} oifname ${POD_DEVICE} accept`,
    `iifname ${POD_DEVICE} oifname ${TAP} ip daddr ${address} accept`,
    ...(six ? [`iifname ${POD_DEVICE} oifname ${TAP} ip6 daddr ${address6} accept`] : []),
    '}',
    '}',
    'table arp pod {}',
    'delete table arp pod',
    ...arpRules('pod', { mac, address }),
  ]);
}
