/**
 * Refuses launches with a known vulnerability, unless a policy names the exception.
 *
 * @module
 */
import { findVulnerable, KNOWN_VULNERABLE } from '@a3s-box/policies/known-vulnerable';
import { demand, type Rule, skip } from './judgement.ts';

const EXPECTED = `a launch digest that is not on the list of ${KNOWN_VULNERABLE.date}`;

/** Also where the policy names the digest in `measurements`, or goes by the key of the ID block. */
export const knownVulnerable: Rule = ({ claims: { measurement }, policy }) => {
  const entry = findVulnerable('launch', measurement);
  if (entry === undefined) return demand(true, EXPECTED, measurement);
  const actual = `${measurement}, by ${entry.id}: ${entry.reason}`;
  if (policy.allowKnownVulnerable.includes(measurement)) {
    return skip('any: the policy allows this digest, known to be vulnerable as it is', actual);
  }
  return demand(false, EXPECTED, actual);
};
