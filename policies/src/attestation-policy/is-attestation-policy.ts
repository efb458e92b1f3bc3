/**
 * Whether a value is a validated attestation policy: the entry for code that appraises by policies
 * without parsing them.
 *
 * @module
 */
export type { SnpPolicy, TcbFloors } from './snp-policy.ts';
export { isAttestationPolicy } from './validated.ts';
