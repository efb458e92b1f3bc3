/**
 * Whether something is a validated attestation policy: the entry for who appraises by policies and
 * leaves parsing them to others.
 *
 * @module
 */
export type { SnpPolicy, TcbFloors } from './snp-policy.ts';
export { isAttestationPolicy } from './validated.ts';
