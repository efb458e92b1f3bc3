/**
 * What a network policy says of a name and of a connection. The packet filter has the same rules in
 * the same order (`packet-rules.ts`).
 *
 * @module
 */
import type { NetworkPolicy, NetworkRule } from '@a3s-box/policies/network-policy';
import { type Address, type AnySubnet, containsAny, readAnySubnet } from '../address.ts';
import {
  NEVER_REACHED_SUBNETS,
  NEVER_REACHED_SUBNETS6,
  SPECIAL_SUBNETS,
  SPECIAL_SUBNETS6,
} from '../special-addresses.ts';

export type Policy = Pick<NetworkPolicy, 'default' | 'rules'>;

/** A connection. What is not known of it is left out. */
export interface Destination {
  readonly name?: string | undefined;
  readonly address?: Address | undefined;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other';
  readonly port?: number | undefined;
}

/** By which rule, counted from 0; `default`: by none; `dns`: a DNS server that no rule names. */
export type DecidedBy = number | 'default' | 'dns';

export interface Verdict {
  readonly allowed: boolean;
  readonly by: DecidedBy;
}

const NEVER_REACHED = [...NEVER_REACHED_SUBNETS, ...NEVER_REACHED_SUBNETS6].map(readAnySubnet);
const SPECIAL = [...SPECIAL_SUBNETS, ...SPECIAL_SUBNETS6].map(readAnySubnet);

/** DNS, and DNS over TLS: other servers than the box's own are reached by a rule alone. */
export const DNS_PORTS: readonly number[] = [53, 853];

/** Whether the box may resolve the name. Only a rule that denies the name as a whole hides it. */
export function decideName({ default: byDefault, rules }: Policy, name: string): Verdict {
  const by = rules.findIndex((rule) => namesIt(rule, name) && (allows(rule) || isWhole(rule)));
  const rule = rules[by];
  if (rule === undefined) return { allowed: byDefault === 'public', by: 'default' };
  return { allowed: allows(rule), by };
}

/** @param own the host's own networks, which are not public for its boxes */
export function decideConnection(
  { default: byDefault, rules }: Policy,
  destination: Destination,
  own: readonly AnySubnet[] = [],
): Verdict {
  const { address, protocol, port } = destination;
  if (address !== undefined && isNeverReached(address)) return { allowed: false, by: 'default' };
  const by = rules.findIndex((rule) => targets(rule, destination) && carries(rule, protocol, port));
  const rule = rules[by];
  if (rule !== undefined) return { allowed: allows(rule), by };
  if (port !== undefined && DNS_PORTS.includes(port)) return { allowed: false, by: 'dns' };
  const isPublic = address === undefined || !(isSpecial(address) || isIn(own, address));
  return { allowed: byDefault === 'public' && isPublic, by: 'default' };
}

/**
 * Whether a name may have this address. A name that leads to addresses of the host, of its networks
 * or of private ones is taken for an attack, unless a rule allows such an address by itself.
 *
 * @param own the host's own networks
 * @param connection the rule has to be about it; undefined: the name is only looked up
 */
export function mayResolveTo(
  policies: readonly Policy[],
  address: Address,
  own: readonly AnySubnet[],
  connection?: Pick<Destination, 'protocol' | 'port'>,
): boolean {
  if (isNeverReached(address)) return false;
  if (!isSpecial(address) && !isIn(own, address)) return true;
  return policies.every(({ rules }) => {
    const first = rules.find(
      (rule) =>
        rule.target.kind === 'addresses' &&
        containsAny(readAnySubnet(rule.target.subnet), address) &&
        (connection === undefined || carries(rule, connection.protocol, connection.port)),
    );
    return first !== undefined && allows(first);
  });
}

/** Whether an address leads to the host itself, to its link or nowhere, whatever a rule says. */
export function isNeverReached(address: Address): boolean {
  return isIn(NEVER_REACHED, address);
}

export function isSpecial(address: Address): boolean {
  return isIn(SPECIAL, address);
}

/** Whether the rule is about this name. */
export function namesIt({ target }: NetworkRule, name: string): boolean {
  if (target.kind === 'name') return target.name === name;
  return target.kind === 'below' && name.endsWith(`.${target.name}`);
}

/**
 * Whether the rule is about such packets, wherever they go. One that allows a name opens no DNS
 * server at its addresses unless it says the port.
 */
export function carries(
  rule: NetworkRule,
  asked: Destination['protocol'],
  port: number | undefined,
): boolean {
  const { protocol, ports } = rule;
  if (protocol !== 'any' && protocol !== asked) return false;
  if (ports === undefined) {
    return port === undefined || !DNS_PORTS.includes(port) || !sparesDns(rule);
  }
  return port !== undefined && ports.first <= port && port <= ports.last;
}

/** Whether the rule is about all ports but those of DNS. */
export function sparesDns(rule: NetworkRule): boolean {
  const { target, ports, protocol } = rule;
  return target.kind !== 'addresses' && allows(rule) && ports === undefined && protocol !== 'icmp';
}

export function allows({ action }: NetworkRule): boolean {
  return action === 'allow';
}

function targets(rule: NetworkRule, { name, address }: Destination): boolean {
  const { target } = rule;
  if (target.kind !== 'addresses') return name !== undefined && namesIt(rule, name);
  return address !== undefined && containsAny(readAnySubnet(target.subnet), address);
}

function isWhole({ protocol, ports }: NetworkRule): boolean {
  return protocol === 'any' && ports === undefined;
}

function isIn(subnets: readonly AnySubnet[], address: Address): boolean {
  return subnets.some((subnet) => containsAny(subnet, address));
}
