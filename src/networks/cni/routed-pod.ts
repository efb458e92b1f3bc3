/**
 * The namespace of a pod routes between the device that plugins of CNI have made, and the tap
 * device of the guest. The guest's layer 2 ends here, and nothing leaves it but packets with the
 * pod's own addresses. What the pod may reach is the business of the plugins, on their side.
 *
 * @module
 */
import * as z from 'zod';
import { writeSettings } from '../host/namespace.ts';
import { GATEWAY_MAC } from '../host/routed.ts';
import { LINK_MESSAGES, settings6 } from '../host/routed6.ts';
import { runProgram } from '../host/run-program.ts';
import { TAP } from '../host/tap.ts';

/** The device of the pod's namespace that plugins make. */
export const POD_DEVICE = 'eth0';

export interface RoutedPod {
  readonly address: string;
  readonly address6: string | undefined;
  readonly mac: string;
}

const Links = z.tuple([z.looseObject({ mtu: z.int() })]);

/**
 * Makes routes and rules, once the namespace has both devices.
 *
 * @returns the largest packet that the network carries
 */
export async function routePod(namespace: string, pod: RoutedPod): Promise<number> {
  const ip = (...args: string[]) => runProgram('ip', ['-json', ...args], { namespace });
  const [{ mtu }] = Links.parse(JSON.parse(await ip('link', 'show', 'dev', POD_DEVICE)));
  // Nothing is forwarded before all rules are there, which come at once or not at all.
  await runProgram('nft', ['-f', '-'], { namespace, input: podRules(pod) });
  const ipv6 =
    pod.address6 === undefined
      ? {}
      : { 'conf/all/forwarding': 1, ...settings6(TAP), ...settings6(POD_DEVICE) };
  await writeSettings(namespace, {
    ipv4: {
      ip_forward: 1,
      'conf/all/rp_filter': 0,
      'conf/all/send_redirects': 0,
      'conf/all/accept_source_route': 0,
      ...settings(TAP),
      ...settings(POD_DEVICE),
    },
    ipv6,
  });
  const { address, address6, mac } = pod;
  await batch(namespace, '-4', [
    `link set ${TAP} address ${GATEWAY_MAC}`,
    `link set ${TAP} mtu ${mtu} up`,
    // The device keeps its address, as plugins check it, and all routes. But the namespace no
    // longer takes packets to that address for its own.
    `route del local ${address} dev ${POD_DEVICE} table local`,
    `route add ${address}/32 dev ${TAP}`,
    `neigh add ${address} lladdr ${mac} dev ${TAP} nud permanent`,
  ]);
  if (address6 === undefined) return mtu;
  await batch(namespace, '-6', [
    `route del local ${address6} dev ${POD_DEVICE} table local`,
    `route add ${address6}/128 dev ${TAP}`,
    `neigh add ${address6} lladdr ${mac} dev ${TAP} nud permanent`,
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
    'table arp pod {',
    'chain spoofed { type filter hook input priority filter; policy accept;',
    `iifname ${TAP} arp saddr ether != ${mac} drop`,
    `iifname ${TAP} arp saddr ip != ${address} drop`,
    '}',
    '}',
  ]);
}

async function batch(namespace: string, family: string, commands: string[]): Promise<void> {
  await runProgram('ip', [family, '-batch', '-'], { namespace, input: lines(commands) });
}

/** The namespace answers for every address that it has a route to, without delay. */
function settings(device: string): Readonly<Record<string, number>> {
  return {
    [`conf/${device}/proxy_arp`]: 1,
    [`conf/${device}/send_redirects`]: 0,
    [`conf/${device}/rp_filter`]: 0,
    [`conf/${device}/accept_local`]: 1,
    [`neigh/${device}/proxy_delay`]: 0,
  };
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
