/**
 * The rules of the packet filter for a place that a policy limits, in the words of nft. They stand
 * in a table of their own: what they refuse, no other table can let through.
 *
 * @module
 */
import type { NetworkRule } from '@a3s-box/policies/network-policy';
import { isSubnet6 } from '../address.ts';
import {
  NEVER_REACHED_SUBNETS,
  NEVER_REACHED_SUBNETS6,
  SPECIAL_SUBNETS,
  SPECIAL_SUBNETS6,
} from '../special-addresses.ts';
import { allows, carries, DNS_PORTS, type Policy, sparesDns } from './decide.ts';
import { type Egress, readPolicy } from './egress.ts';
import { REPEAT_SECONDS } from './recent.ts';

/** A client that received a TTL of N seconds may connect at its end. */
export const GRACE_SECONDS = 5;
/** For how long an address can be open: a rule of the packet filter has one time. */
export const PIN_SECONDS: readonly number[] = [30, 60, 120, 300, 600, 1200, 1800, 3600].map(
  (seconds) => seconds + GRACE_SECONDS,
);
/** Where the program of the namespace sends the addresses to open. Nothing listens there. */
export const PIN_TO = { address: '127.0.0.1', port: 5354, port6: 5355 } as const;
/** Where the program of the namespace listens, at the namespace's own address. */
export const PROGRAM_PORTS = { names: 5353, web: 5080, tls: 5443 } as const;
/** Ports on which the names of servers are checked. */
export const HTTP = 80;
export const HTTPS = 443;

/** Addresses of one rule's names at a time. */
const MAX_PINNED = 1024;
/** Refused destinations that are remembered until they are asked for. */
const MAX_REFUSED = 128;
/** Marks of refused packets: this, the policy and the rule. Nothing routes by them any more. */
const MARK = 0x1000_0000;
const POLICY_BITS = 16;
const DEFAULT_MARK = 0xffff;
const DNS_MARK = 0xfffe;

export const EGRESS_TABLE = 'inet egress';
/** The sets of refused packets. */
export const REFUSED_SETS = ['refused', 'refused_6'] as const;
const REJECT = 'reject with icmpx admin-prohibited';
/** What rules call the parts of packets of one family. */
interface Family {
  readonly protocol: 'ipv4' | 'ipv6';
  readonly ip: 'ip' | 'ip6';
  /** What the names of sets end with. */
  readonly suffix: '' | '_6';
  /** The destination of a packet, as bytes that have no type. */
  readonly destination: string;
  /** That of a datagram of the program: an address, the numbers of a set and of a time. */
  readonly pin: { address: string; set: string; time: string; port: number };
  readonly icmp: 'icmp' | 'icmpv6';
}
const IPV4: Family = {
  ...{ protocol: 'ipv4', ip: 'ip', suffix: '', destination: '@nh,128,32', icmp: 'icmp' },
  pin: { address: '@th,64,32', set: '@th,96,16', time: '@th,112,16', port: PIN_TO.port },
};
const IPV6: Family = {
  ...{ protocol: 'ipv6', ip: 'ip6', suffix: '_6', destination: '@nh,192,128', icmp: 'icmpv6' },
  pin: { address: '@th,64,128', set: '@th,192,16', time: '@th,208,16', port: PIN_TO.port6 },
};
/** Where datagrams of the program go. */
const PIN = `ip daddr ${PIN_TO.address} udp dport { ${PIN_TO.port}, ${PIN_TO.port6} }`;

/** The place that is limited. */
export interface LimitedPlace {
  readonly tap: string;
  readonly uplink: string;
  /** The namespace's own address. */
  readonly inside: string;
  /** The box's. */
  readonly address: string;
  /** Boxes in it are not outside. Undefined: there are none. */
  readonly subnet: string | undefined;
  /** The same of IPv6. Undefined: the box has none. */
  readonly ipv6?:
    | {
        readonly inside: string;
        readonly address: string;
        readonly subnet: string;
        /** The network's DNS server answers there as well. */
        readonly gateway: string;
      }
    | undefined;
  readonly egress: Egress;
}

/**
 * The set of the packet filter with the IPv4 addresses that names of a rule have; that of IPv6 has
 * `_6` behind it.
 */
export function setName(policy: number, rule: number): string {
  return `p${policy}r${rule}`;
}

/** The rules for names, with their sets. The number of one is its place in this list. */
export function namedSets(
  policies: readonly Policy[],
): readonly { readonly rule: NetworkRule; readonly set: string }[] {
  return policies.flatMap(({ rules }, policy) =>
    rules.flatMap((rule, at) =>
      rule.target.kind === 'addresses' ? [] : [{ rule, set: setName(policy, at) }],
    ),
  );
}

/** What a mark of a refused packet says. */
export function readMark(
  mark: number,
): { policy: number; by: number | 'default' | 'dns' } | undefined {
  const value = mark - MARK;
  const [policy, rule] = [value >>> POLICY_BITS, value & 0xffff];
  if (value < 0 || policy > 1) return undefined;
  return { policy, by: rule === DEFAULT_MARK ? 'default' : rule === DNS_MARK ? 'dns' : rule };
}

/** All rules, in place of those that are there. Without them, nothing is forwarded. */
export function egressRules(place: LimitedPlace): string {
  const { tap, uplink, inside, address, subnet, ipv6, egress } = place;
  const families = ipv6 === undefined ? [IPV4] : [IPV4, IPV6];
  const policies = egress.policies.map(readPolicy);
  const named = namedSets(policies);
  const resolvers = `ip daddr { ${egress.resolvers.join(', ')} }`;
  const { names, web, tls } = PROGRAM_PORTS;
  const to = (port: number): string => `dnat ip to ${inside}:${port}`;
  return lines([
    `table ${EGRESS_TABLE} {}`,
    `delete table ${EGRESS_TABLE}`,
    `table ${EGRESS_TABLE} {`,
    ...families.flatMap((family) => sets(family, named, egress.ownSubnets)),
    'chain checked {',
    `meta nfproto ipv4 tcp dport ${HTTPS} ${to(tls)}`,
    `meta nfproto ipv4 tcp dport ${HTTP} ${to(web)}`,
    ...(ipv6 === undefined
      ? []
      : [
          `meta nfproto ipv6 tcp dport ${HTTPS} dnat ip6 to [${ipv6.inside}]:${tls}`,
          `meta nfproto ipv6 tcp dport ${HTTP} dnat ip6 to [${ipv6.inside}]:${web}`,
        ]),
    '}',
    ...policies.flatMap(({ rules }, policy) => [
      `chain web${policy} {`,
      ...rules.flatMap((rule, at) => steered(rule, setName(policy, at), families)),
      '}',
    ]),
    'chain steer { type nat hook prerouting priority dstnat - 5; policy accept;',
    `iifname != ${tap} accept`,
    `${resolvers} udp dport 53 ${to(names)}`,
    `${resolvers} tcp dport 53 ${to(names)}`,
    ...policies.map((_, policy) => `tcp dport { ${HTTP}, ${HTTPS} } jump web${policy}`),
    '}',
    'chain refuse {',
    ...families.map((family) => `update @refused${family.suffix} { ${refusedParts(family)} }`),
    REJECT,
    '}',
    ...policies.flatMap((policy, at) => [
      '',
      `chain policy${at} {`,
      ...forwarded(policy, at, families),
      '}',
    ]),
    'chain forward { type filter hook forward priority filter + 10; policy drop;',
    'ct state established,related accept',
    // It belongs to no connection whose destination the rules could look at.
    'ct state invalid drop',
    `iifname != ${tap} accept`,
    // Nothing but the program asks the resolvers. In a network of boxes that is all that they do; a
    // server outside may have other services.
    ...(subnet === undefined
      ? [`${resolvers} meta l4proto { tcp, udp } th dport 53 reject`]
      : [`${resolvers} reject`, `ip daddr ${subnet} accept`]),
    ...(ipv6 === undefined
      ? []
      : [
          `ip6 daddr ${ipv6.gateway} meta l4proto { tcp, udp } th dport 53 ${REJECT}`,
          `ip6 daddr ${ipv6.subnet} accept`,
        ]),
    ...policies.map((_, policy) => `jump policy${policy}`),
    'accept',
    '}',
    ...pinned(named, egress.uid, families),
    ...policies.flatMap((policy, at) => [
      `chain private${at} {`,
      ...privately(policy, families),
      '}',
    ]),
    'chain program {',
    `${PIN} accept`,
    'ct state established,related accept',
    'ct state invalid drop',
    `ip daddr { ${egress.upstreams.join(', ')} } meta l4proto { tcp, udp } th dport 53 accept`,
    // The program chooses what is in the sets. Taken over, it could name any address.
    ...families.flatMap((family) => [
      `${family.ip} daddr @never${family.suffix} ${REJECT}`,
      ...policies.map(
        (_, policy) => `${family.ip} daddr @special${family.suffix} jump private${policy}`,
      ),
      ...named
        .filter(({ rule }) => allows(rule))
        .map(({ set }) => `tcp dport { ${HTTP}, ${HTTPS} } ${isIn(set, family)} accept`),
    ]),
    // A connection that fails at once can be reported.
    REJECT,
    '}',
    'chain out { type filter hook output priority filter; policy accept;',
    // What brings in connections to published ports may be the program's user as well.
    ...(egress.uid === 0 ? ['ct status dnat accept'] : []),
    `meta skuid ${egress.uid} jump program`,
    '}',
    'chain source { type nat hook postrouting priority srcnat; policy accept;',
    `oifname ${uplink} ip saddr ${inside} snat ip to ${address}`,
    ...(ipv6 === undefined
      ? []
      : [`oifname ${uplink} ip6 saddr ${ipv6.inside} snat ip6 to ${ipv6.address}`]),
    '}',
    '}',
  ]);
}

/** What a set of refused packets has of each. Protocols without ports have a number. */
function refusedParts({ ip }: Family): string {
  return `${ip} daddr . meta l4proto . ct original proto-dst . meta mark`;
}

function sets(
  family: Family,
  named: readonly { readonly set: string }[],
  own: readonly string[],
): string[] {
  const { suffix, destination: bytes, protocol } = family;
  const is6 = protocol === 'ipv6';
  const type = `type ${protocol}_addr; flags interval`;
  const never = is6 ? NEVER_REACHED_SUBNETS6 : NEVER_REACHED_SUBNETS;
  const special = [
    ...(is6 ? SPECIAL_SUBNETS6 : SPECIAL_SUBNETS),
    ...own.filter((subnet) => isSubnet6(subnet) === is6),
  ];
  return [
    // Datagrams put addresses into them, as bytes that have no type.
    ...named.map(
      ({ set }) =>
        `set ${set}${suffix} { typeof ${bytes}; flags dynamic,timeout; size ${MAX_PINNED}; }`,
    ),
    `set never${suffix} { ${type};${is6 ? ' auto-merge;' : ''} elements = { ${never.join(', ')} }; }`,
    `set special${suffix} { ${type}; auto-merge; elements = { ${special.join(', ')} }; }`,
    `set refused${suffix} { typeof ${refusedParts(family)}; flags dynamic,timeout; size ${MAX_REFUSED}; timeout ${REPEAT_SECONDS}s; }`,
  ];
}

/** Connections on which names are checked: those that a rule for a name decides. */
function steered(rule: NetworkRule, set: string, families: readonly Family[]): string[] {
  const ports = [HTTP, HTTPS].filter((port) => carries(rule, 'tcp', port));
  if (ports.length === 0) return [];
  const isNamed = rule.target.kind !== 'addresses';
  const verdict = isNamed && allows(rule) ? 'goto checked' : 'return';
  return familiesOf(rule, families).map(
    (family) => `${destination(rule, set, family)} tcp dport { ${ports.join(', ')} } ${verdict}`,
  );
}

function forwarded(
  { rules, default: byDefault }: Policy,
  policy: number,
  families: readonly Family[],
): string[] {
  const refuse = (rule: number): string =>
    `meta mark set ${MARK + (policy << POLICY_BITS) + rule} goto refuse`;
  return [
    ...families.map(
      ({ ip, suffix }) => `ct original ${ip} daddr @never${suffix} ${refuse(DEFAULT_MARK)}`,
    ),
    ...rules.flatMap((rule, at) =>
      familiesOf(rule, families).map((family) => {
        const verdict = allows(rule) ? 'return' : refuse(at);
        // A rule for a name opens public addresses alone, whatever is in its set.
        const isPublic =
          allows(rule) && rule.target.kind !== 'addresses'
            ? ` ${family.ip} daddr != @special${family.suffix}`
            : '';
        const matched = destination(rule, setName(policy, at), family);
        return `${matched}${isPublic}${transport(rule, family)} ${verdict}`;
      }),
    ),
    `meta l4proto { tcp, udp } th dport { ${DNS_PORTS.join(', ')} } ${refuse(DNS_MARK)}`,
    ...(byDefault === 'public'
      ? families.map(({ ip, suffix }) => `ct original ${ip} daddr != @special${suffix} return`)
      : []),
    refuse(DEFAULT_MARK),
  ];
}

/** Addresses that are not public, to which the program may connect by a rule for them alone. */
function privately({ rules }: Policy, families: readonly Family[]): string[] {
  const isWeb = (rule: NetworkRule): boolean =>
    [HTTP, HTTPS].some((port) => carries(rule, 'tcp', port));
  return [
    ...rules.flatMap((rule) => {
      const { target } = rule;
      if (target.kind !== 'addresses' || !isWeb(rule)) return [];
      const verdict = allows(rule) ? 'return' : REJECT;
      return familiesOf(rule, families).map(
        (family) => `${family.ip} daddr ${target.subnet}${transport(rule, family)} ${verdict}`,
      );
    }),
    REJECT,
  ];
}

/** The families that a rule is about: a name may have addresses of all. */
function familiesOf({ target }: NetworkRule, families: readonly Family[]): readonly Family[] {
  if (target.kind !== 'addresses') return families;
  const protocol = isSubnet6(target.subnet) ? 'ipv6' : 'ipv4';
  return families.filter((family) => family.protocol === protocol);
}

/** The address that the box has sent to, whatever it leads to. */
function destination({ target }: NetworkRule, set: string, family: Family): string {
  return target.kind === 'addresses'
    ? `ct original ${family.ip} daddr ${target.subnet}`
    : isIn(set, family);
}

/** nft takes a set of untyped bytes for such bytes alone; they are the packet's destination. */
function isIn(set: string, { protocol, destination: bytes, suffix }: Family): string {
  return `meta nfproto ${protocol} ${bytes} @${set}${suffix}`;
}

/**
 * Adds the addresses that the program sends to sets, before connections are looked at: these
 * datagrams are none. One that is not taken is dropped, and its sender gets an error. No packet of
 * the guest comes here: it is not sent by a socket of this namespace.
 */
function pinned(
  named: readonly { readonly set: string }[],
  uid: number,
  families: readonly Family[],
): string[] {
  if (named.length === 0) return [];
  const ofFamily = ({ suffix, pin }: Family): string[] => [
    ...named.flatMap((each) => [
      `chain pin_${each.set}${suffix} {`,
      ...PIN_SECONDS.map(
        (seconds, number) =>
          `${pin.time} ${number} update @${each.set}${suffix} { ${pin.address} timeout ${seconds}s } notrack accept`,
      ),
      'drop',
      '}',
    ]),
    `chain pins${suffix} {`,
    `${pin.set} vmap { ${named.map((each, number) => `${number} : goto pin_${each.set}${suffix}`).join(', ')} }`,
    'drop',
    '}',
  ];
  return [
    ...families.flatMap(ofFamily),
    'chain pin { type filter hook output priority raw; policy accept;',
    ...families.map(
      ({ suffix, pin }) =>
        `meta skuid ${uid} ip daddr ${PIN_TO.address} udp dport ${pin.port} goto pins${suffix}`,
    ),
    '}',
    'chain pinned { type filter hook input priority filter - 1; policy accept;',
    `iifname lo ${PIN} drop`,
    '}',
  ];
}

function transport(rule: NetworkRule, { icmp }: Family): string {
  const { protocol, ports } = rule;
  if (sparesDns(rule)) return ` meta l4proto ${protocol} th dport != { ${DNS_PORTS.join(', ')} }`;
  const range = ports === undefined ? '' : `${ports.first}-${ports.last}`;
  if (protocol === 'any') return range === '' ? '' : ` meta l4proto { tcp, udp } th dport ${range}`;
  if (protocol === 'icmp') return ` meta l4proto ${icmp}`;
  return range === '' ? ` meta l4proto ${protocol}` : ` ${protocol} dport ${range}`;
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
