/**
 * The policies of a home, and who decides by them.
 *
 * @module
 */
import type { Trust } from '../boxes/trust-policies.ts';
import { CallPolicies } from '../trust/call-policies.ts';
import { decideTrust } from '../trust/decide.ts';
import { policyEnvironment, standingPolicy } from '../trust/standing-policy.ts';

export function openTrust(home: string): Trust {
  const policies = new CallPolicies(policyEnvironment(home));
  return {
    standing: () => standingPolicy({ home }),
    handOver: (policy) => policies.add(policy),
    handedOver: (id) => policies.get(id),
    decide: decideTrust,
  };
}
