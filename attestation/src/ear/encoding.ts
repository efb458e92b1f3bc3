/**
 * How JSON and CBOR write what they write differently.
 *
 * @module
 */
import { fromBase64 } from '../envelopes/encodings/base64.ts';
import { fromBase64Url, toBase64, toBase64Url } from './base64url.ts';
import type { Label, Tree } from './claim-value.ts';
import { CBOR_LABELS, type EarProfile, type Labels, profileOf } from './profiles.ts';
import { type EarTier, TIER_VALUES, VECTOR_CLAIMS } from './tiers.ts';

/** One of the two; what `…Of` cannot read is undefined. */
export interface Form {
  labels(profile: EarProfile): Labels;
  readonly developer: Label;
  readonly build: Label;
  vectorLabel(index: number): Label;
  tier(tier: EarTier): Tree;
  tierOf(tree: Tree | undefined): EarTier | undefined;
  bytes(value: Uint8Array): Tree;
  bytesOf(tree: Tree | undefined): Uint8Array | undefined;
  nonce(value: Uint8Array): Tree;
  nonceOf(tree: Tree | undefined): Uint8Array | undefined;
}

export const CBOR_FORM: Form = {
  labels: () => CBOR_LABELS,
  developer: 0,
  build: 1,
  vectorLabel: (index) => index,
  tier: (tier) => TIER_VALUES[tier],
  tierOf: (tree) => tiers().find((tier) => TIER_VALUES[tier] === tree),
  bytes: (value) => value,
  bytesOf: binary,
  nonce: (value) => value,
  nonceOf: binary,
};

/** The draft asks for base64 in a nonce, and for base64url everywhere else. */
export const JSON_FORM: Form = {
  labels: (profile) => profileOf(profile).names,
  developer: 'developer',
  build: 'build',
  vectorLabel: (index) => String(VECTOR_CLAIMS[index]),
  tier: (tier) => tier,
  tierOf: (tree) => tiers().find((tier) => tier === tree),
  bytes: toBase64Url,
  bytesOf: (tree) => (typeof tree === 'string' ? fromBase64Url(tree) : undefined),
  nonce: toBase64,
  nonceOf: (tree) => (typeof tree === 'string' ? fromBase64(tree) : undefined),
};

function tiers(): readonly EarTier[] {
  return Object.keys(TIER_VALUES) as EarTier[];
}

function binary(tree: Tree | undefined): Uint8Array | undefined {
  return tree instanceof Uint8Array ? tree : undefined;
}
