/**
 * Which policies were validated, without what validates them: an appraisal asks, and need not carry
 * a parser along.
 *
 * @module
 */
import type { SnpPolicy } from './snp-policy.ts';

const validated = new WeakSet<object>();

/** For the parser of policies alone; no entry of the package exports it. */
export function markValidated<Policy extends object>(policy: Policy): Policy {
  validated.add(policy);
  return policy;
}

/**
 * Whether `parseAttestationPolicy` made it.
 *
 * An object that only looks like a policy may lack what is required without anybody noticing.
 */
export function isAttestationPolicy(value: object): value is SnpPolicy {
  return validated.has(value);
}
