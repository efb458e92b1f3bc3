/**
 * The rules of the packet filter for a place that a policy limits, in the words of nft. They stand
 * in a table of their own: what they refuse, no other table can let through.
 *
 * @module
 */
import type { NetworkRule } from '@a3s-box/policies/network-policy';
import { NEVER_REACHED_SUBNETS, SPECIAL_SUBNETS } from '../special-addresses.ts';
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
export const PIN_TO = { address: '127.0.0.1', port: 5354 } as const;
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
/** The set of refused packets, and what it has of each. Protocols without ports have a number. */
export const REFUSED_SET = 'refused';
const REFUSED = 'ip daddr . meta l4proto . ct original proto-dst . meta mark';
const REJECT = 'reject with icmpx admin-prohibited';
/** The destination of an IPv4 packet. */
const DESTINATION = '@nh,128,32';
const PIN = `ip daddr ${PIN_TO.address} udp dport ${PIN_TO.port}`;

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
  readonly egress: Egress;
}

/** The set of the packet filter with the addresses that names of a rule have. */
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
  const { tap, uplink, inside, address, subnet, egress } = place;
  const policies = egress.policies.map(readPolicy);
  const named = namedSets(policies);
  const resolvers = `ip daddr { ${egress.resolvers.join(', ')} }`;
  const { names, web, tls } = PROGRAM_PORTS;
  const to = (port: number): string => `dnat ip to ${inside}:${port}`;
  return lines([
    `table ${EGRESS_TABLE} {}`,
    `delete table ${EGRESS_TABLE}`,
    `table ${EGRESS_TABLE} {`,
    // Datagrams put addresses into them, as bytes that have no type.
    ...named.map(
      ({ set }) =>
        `set ${set} { typeof ${DESTINATION}; flags dynamic,timeout; size ${MAX_PINNED}; }`,
    ),
    `set never { type ipv4_addr; flags interval; elements = { ${NEVER_REACHED_SUBNETS.join(', ')} }; }`,
    `set special { type ipv4_addr; flags interval; auto-merge; elements = { ${[...SPECIAL_SUBNETS, ...egress.ownSubnets].join(', ')} }; }`,
    `set ${REFUSED_SET} { typeof ${REFUSED}; flags dynamic,timeout; size ${MAX_REFUSED}; timeout ${REPEAT_SECONDS}s; }`,
    'chain checked {',
    `tcp dport ${HTTPS} ${to(tls)}`,
    `tcp dport ${HTTP} ${to(web)}`,
    '}',
    ...policies.flatMap(({ rules }, policy) => [
      `chain web${policy} {`,
      ...rules.flatMap((rule, at) => steered(rule, setName(policy, at))),
      '}',
    ]),
    'chain steer { type nat hook prerouting priority dstnat - 5; policy accept;',
    `iifname != ${tap} accept`,
    `${resolvers} udp dport 53 ${to(names)}`,
    `${resolvers} tcp dport 53 ${to(names)}`,
    ...policies.map((_, policy) => `tcp dport { ${HTTP}, ${HTTPS} } jump web${policy}`),
    '}',
    'chain refuse {',
    `update @${REFUSED_SET} { ${REFUSED} }`,
    REJECT,
    '}',
    ...policies.flatMap((policy, at) => ['', `chain policy${at} {`, ...forwarded(policy, at), '}']),
    'chain forward { type filter hook forward priority filter + 10; policy drop;',
    'ct state established,related accept',
    // It belongs to no connection whose destination the rules could look at.
    'ct state invalid drop',
    `iifname != ${tap} accept`,
    // Nothing but the program asks the resolvers.
    `${resolvers} reject`,
    ...(subnet === undefined ? [] : [`ip daddr ${subnet} accept`]),
    ...policies.map((_, policy) => `jump policy${policy}`),
    'accept',
    '}',
    ...pinned(named, egress.uid),
    ...policies.flatMap((policy, at) => [`chain private${at} {`, ...privately(policy), '}']),
    'chain program {',
    `${PIN} accept`,
    'ct state established,related accept',
    'ct state invalid drop',
    `ip daddr { ${egress.upstreams.join(', ')} } meta l4proto { tcp, udp } th dport 53 accept`,
    // The program chooses what is in the sets. Taken over, it could name any address.
    `ip daddr @never ${REJECT}`,
    ...policies.map((_, policy) => `ip daddr @special jump private${policy}`),
    ...named
      .filter(({ rule }) => allows(rule))
      .map(({ set }) => `tcp dport { ${HTTP}, ${HTTPS} } ${isIn(set)} accept`),
    // A connection that fails at once can be reported.
    REJECT,
    '}',
    'chain out { type filter hook output priority filter; policy accept;',
    `meta skuid ${egress.uid} jump program`,
    '}',
    'chain source { type nat hook postrouting priority srcnat; policy accept;',
    `oifname ${uplink} ip saddr ${inside} snat ip to ${address}`,
    '}',
    '}',
  ]);
}

/** Connections on which names are checked: those that a rule for a name decides. */
function steered(rule: NetworkRule, set: string): string[] {
  const ports = [HTTP, HTTPS].filter((port) => carries(rule, 'tcp', port));
  if (ports.length === 0) return [];
  const isNamed = rule.target.kind !== 'addresses';
  const verdict = isNamed && allows(rule) ? 'goto checked' : 'return';
  return [`${destination(rule, set)} tcp dport { ${ports.join(', ')} } ${verdict}`];
}

function forwarded({ rules, default: byDefault }: Policy, policy: number): string[] {
  const refuse = (rule: number): string =>
    `meta mark set ${MARK + (policy << POLICY_BITS) + rule} goto refuse`;
  return [
    `ct original ip daddr @never ${refuse(DEFAULT_MARK)}`,
    ...rules.map((rule, at) => {
      const verdict = allows(rule) ? 'return' : refuse(at);
      // A rule for a name opens public addresses alone, whatever is in its set.
      const isPublic =
        allows(rule) && rule.target.kind !== 'addresses' ? ' ip daddr != @special' : '';
      return `${destination(rule, setName(policy, at))}${isPublic}${transport(rule)} ${verdict}`;
    }),
    `meta l4proto { tcp, udp } th dport { ${DNS_PORTS.join(', ')} } ${refuse(DNS_MARK)}`,
    ...(byDefault === 'public' ? ['ct original ip daddr != @special return'] : []),
    refuse(DEFAULT_MARK),
  ];
}

/** Addresses that are not public, to which the program may connect by a rule for them alone. */
function privately({ rules }: Policy): string[] {
  const isWeb = (rule: NetworkRule): boolean =>
    [HTTP, HTTPS].some((port) => carries(rule, 'tcp', port));
  return [
    ...rules.flatMap((rule) => {
      if (rule.target.kind !== 'addresses' || !isWeb(rule)) return [];
      const verdict = allows(rule) ? 'return' : REJECT;
      return [`ip daddr ${rule.target.subnet}${transport(rule)} ${verdict}`];
    }),
    REJECT,
  ];
}

/** The address that the box has sent to, whatever it leads to. */
function destination({ target }: NetworkRule, set: string): string {
  return target.kind === 'addresses' ? `ct original ip daddr ${target.subnet}` : isIn(set);
}

/** nft takes a set of untyped bytes for such bytes alone; they are the packet's destination. */
function isIn(set: string): string {
  return `meta nfproto ipv4 ${DESTINATION} @${set}`;
}

/**
 * Adds the addresses that the program sends to sets, before connections are looked at: these
 * datagrams are none. One that is not taken is dropped, and its sender gets an error. No packet of
 * the guest comes here: it is not sent by a socket of this namespace.
 */
function pinned(named: readonly { readonly set: string }[], uid: number): string[] {
  if (named.length === 0) return [];
  const [address, set, time] = ['@th,64,32', '@th,96,16', '@th,112,16'];
  const jumps = named.map((each, number) => `${number} : goto pin_${each.set}`);
  return [
    ...named.flatMap((each) => [
      `chain pin_${each.set} {`,
      ...PIN_SECONDS.map(
        (seconds, number) =>
          `${time} ${number} update @${each.set} { ${address} timeout ${seconds}s } notrack accept`,
      ),
      'drop',
      '}',
    ]),
    'chain pins {',
    `${set} vmap { ${jumps.join(', ')} }`,
    'drop',
    '}',
    'chain pin { type filter hook output priority raw; policy accept;',
    `meta skuid ${uid} ${PIN} goto pins`,
    '}',
    'chain pinned { type filter hook input priority filter - 1; policy accept;',
    `iifname lo ${PIN} drop`,
    '}',
  ];
}

function transport(rule: NetworkRule): string {
  const { protocol, ports } = rule;
  if (sparesDns(rule)) return ` meta l4proto ${protocol} th dport != { ${DNS_PORTS.join(', ')} }`;
  const range = ports === undefined ? '' : `${ports.first}-${ports.last}`;
  if (protocol === 'any') return range === '' ? '' : ` meta l4proto { tcp, udp } th dport ${range}`;
  return range === '' ? ` meta l4proto ${protocol}` : ` ${protocol} dport ${range}`;
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
