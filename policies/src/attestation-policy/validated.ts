/**
 * Records which policies were validated, apart from the parser: an appraisal needs the record and
 * not the parser.
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
 * An object that only looks like a policy may silently lack required members.
 */
export function isAttestationPolicy(value: object): value is SnpPolicy {
  return validated.has(value);
}
