/**
 * Says what policies make of a connection, before it is made and without a question about a name.
 *
 * @module
 */
import type { NetworkRule } from '@a3s-box/policies/network-policy';
import { type Address, type AnySubnet, containsAny, readAnySubnet } from '../address.ts';
import { HOST_SUBNETS6, LINK_LOCAL } from '../special-addresses.ts';
import { carries, decideConnection, decideName, type Policy } from './decide.ts';
import { type RecordedPolicy, readPolicy, ruleText } from './egress.ts';

/** A connection that somebody asks about: to a name or to an address. */
export interface Asked {
  readonly name?: string;
  readonly address?: Address;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

type NamedPolicy = RecordedPolicy & { readonly of: 'box' | 'network' };

export interface Explanation {
  readonly allowed: boolean;
  /** The policy that decides; undefined: there is none. */
  readonly of: 'box' | 'network' | undefined;
  readonly rule: string;
  /** What else it depends on. */
  readonly notes: readonly string[];
}

/** The network through which the connection would go. */
export interface AskedNetwork {
  /** The host's own networks. */
  readonly own: readonly AnySubnet[];
  /** Its own addresses; none: a box has it to itself. */
  readonly subnets: readonly AnySubnet[];
  readonly hasIpv6: boolean;
  /** Where questions of the box about names go. */
  readonly resolvers: readonly Address[];
}

const DNS_PORT = 53;
/** What no box reaches, with or without a policy. */
const UNREACHABLE = [LINK_LOCAL, ...HOST_SUBNETS6].map(readAnySubnet);

export function explain(
  policies: readonly NamedPolicy[],
  asked: Asked,
  network: AskedNetwork,
): Explanation {
  const before = beforePolicies(policies.length > 0, asked, network);
  if (before !== undefined) return { ...before, of: undefined, notes: [] };
  const notes: string[] = [];
  let allowing: { of: 'box' | 'network'; rule: string } | undefined;
  for (const policy of policies) {
    const rules = readPolicy(policy);
    const found = decide(rules, asked, network.own);
    notes.push(...found.notes);
    const rule = ruleText(policy, found.by);
    if (!found.allowed) return { allowed: false, of: policy.of, rule, notes };
    allowing ??= { of: policy.of, rule };
  }
  if (allowing === undefined) return { allowed: true, of: undefined, rule: '', notes: [] };
  return { allowed: true, ...allowing, notes };
}

/** What is decided without a policy. */
function beforePolicies(
  isLimited: boolean,
  { name, address, port }: Asked,
  { subnets, hasIpv6, resolvers }: AskedNetwork,
): { readonly allowed: boolean; readonly rule: string } | undefined {
  if (address !== undefined) {
    const isResolver = isLimited && resolvers.includes(address);
    if (isResolver && port === DNS_PORT) {
      return { allowed: true, rule: 'the box’s own questions are decided by the names in them' };
    }
    if (isIn(subnets, address)) {
      if (isResolver) return { allowed: false, rule: 'it answers questions about names alone' };
      return { allowed: true, rule: 'boxes of the same network are not outside' };
    }
    if (typeof address === 'bigint' && !hasIpv6) {
      return { allowed: false, rule: 'the box has no IPv6 in this network' };
    }
    if (!isLimited && isIn(UNREACHABLE, address)) {
      return { allowed: false, rule: 'it is link-local, or a metadata service' };
    }
  }
  if (!isLimited) return undefined;
  if (name !== undefined && subnets.length > 0 && !name.includes('.')) {
    return { allowed: true, rule: 'names without a dot are those of boxes of the same network' };
  }
  return undefined;
}

function isIn(subnets: readonly AnySubnet[], address: Address): boolean {
  return subnets.some((subnet) => containsAny(subnet, address));
}

function decide(policy: Policy, asked: Asked, own: readonly AnySubnet[]) {
  if (asked.name !== undefined) return decideNamed(policy, asked.name, asked, own);
  const verdict = decideConnection(policy, asked, own);
  const earlier = typeof verdict.by === 'number' ? policy.rules.slice(0, verdict.by) : policy.rules;
  const named = earlier.filter(
    (rule) => isNamed(rule) && carries(rule, asked.protocol, asked.port),
  );
  const notes = named.map(({ action, text }) => {
    const effect = action === 'allow' ? 'allowed' : 'refused';
    return `${effect} by ${text} while a name of that rule has this address`;
  });
  return { ...verdict, notes };
}

function decideNamed(policy: Policy, name: string, asked: Asked, own: readonly AnySubnet[]) {
  const resolves = decideName(policy, name);
  const verdict = decideConnection(policy, asked, own);
  if (!resolves.allowed) return { ...resolves, notes: ['the name does not resolve'] };
  const earlier = typeof verdict.by === 'number' ? policy.rules.slice(0, verdict.by) : policy.rules;
  const addresses = earlier.filter(
    (rule) => !isNamed(rule) && carries(rule, asked.protocol, asked.port),
  );
  const notes = addresses.map(({ action, text }) => {
    const effect = action === 'allow' ? 'allowed' : 'refused';
    return `${effect} by ${text} where the name has an address of that rule`;
  });
  if (verdict.allowed)
    notes.push('refused where the name has a private or link-local address, or one of the host');
  return { ...verdict, notes };
}

function isNamed({ target }: NetworkRule): boolean {
  return target.kind !== 'addresses';
}
