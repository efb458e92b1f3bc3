/**
 * Says what policies make of a connection, before it is made and without a question about a name.
 *
 * @module
 */
import type { NetworkRule } from '@a3s-box/policies/network-policy';
import type { Address, AnySubnet } from '../address.ts';
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

/** @param own the host's own networks */
export function explain(
  policies: readonly NamedPolicy[],
  asked: Asked,
  own: readonly AnySubnet[],
): Explanation {
  const notes: string[] = [];
  let allowing: { of: 'box' | 'network'; rule: string } | undefined;
  for (const policy of policies) {
    const rules = readPolicy(policy);
    const found = decide(rules, asked, own);
    notes.push(...found.notes);
    const rule = ruleText(policy, found.by);
    if (!found.allowed) return { allowed: false, of: policy.of, rule, notes };
    allowing ??= { of: policy.of, rule };
  }
  if (allowing === undefined) return { allowed: true, of: undefined, rule: '', notes: [] };
  return { allowed: true, ...allowing, notes };
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
