/**
 * The image policies of a home, and the deciders that apply them.
 *
 * @module
 */
import type { Trust } from '../../boxes/policy/trust.ts';
import { decideTrust } from '../../trust/decide.ts';
import { CallPolicies } from '../../trust/policy/call-policies.ts';
import { policyEnvironment, standingPolicy } from '../../trust/policy/standing-policy.ts';

export function openTrust(home: string): Trust {
  const policies = new CallPolicies(policyEnvironment(home));
  return {
    standing: () => standingPolicy({ home }),
    handOver: (policy) => policies.add(policy),
    handedOver: (id) => policies.get(id),
    decide: decideTrust,
  };
}
