/**
 * Attestation results: EAR (draft-ietf-rats-ear), a profile of EAT (RFC 9711), as JWT and as CWT.
 *
 * A verifier signs what it found; a party that trusts the verifier's key then needs no evidence.
 * Runs in browsers too.
 *
 * @module
 */
export { EAR_NONCE_SIZE } from './bounds.ts';
export type { Ear, EarSubmod } from './ear.ts';
export { EAR_PROFILES, type EarProfile } from './profiles.ts';
export { type SignEarOptions, signEarCwt, signEarJwt } from './sign-ear.ts';
export type { EarAlgorithm, EarKey, EarSigningKey } from './signatures.ts';
export { earSubmod, refusedSubmod, type SubmodDetails } from './submod.ts';
export { type EarTier, type EarVector, type EarVectorClaim, tierOf } from './tiers.ts';
export {
  type VerifiedEar,
  type VerifyEarOptions,
  verifyEarCwt,
  verifyEarJwt,
} from './verify-ear.ts';
