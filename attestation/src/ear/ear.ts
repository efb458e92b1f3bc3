/**
 * An attestation result: what a verifier says about an attester, in EAR's terms.
 *
 * @module
 */
import type { EarProfile } from './profiles.ts';
import type { EarTier, EarVector } from './tiers.ts';

/** What the verifier says of one attester. */
export interface EarSubmod {
  /** No better than any claim of the vector. */
  readonly status: EarTier;
  readonly vector: EarVector;
  /** The policies that evidence was appraised by, first ones first. */
  readonly policyIds?: readonly string[];
  /** SubjectPublicKeyInfo of the key that the evidence binds: `ear.veraison.key-attestation`. */
  readonly key?: Uint8Array;
}

/** The claims of one attestation result. */
export interface Ear {
  readonly profile: EarProfile;
  readonly issuedAt: Date;
  readonly expiresAt?: Date;
  /** Who issued it: an organisation, and its software. */
  readonly verifier: { readonly developer: string; readonly build: string };
  /** 8 to 64 bytes of the one who asked the verifier. */
  readonly nonce?: Uint8Array;
  readonly rawEvidence?: Uint8Array;
  /** By name; at least one. */
  readonly submods: ReadonlyMap<string, EarSubmod>;
}
