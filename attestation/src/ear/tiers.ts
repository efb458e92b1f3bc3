/**
 * The trustworthiness vector of AR4SI (draft-ietf-rats-ar4si), and what its values mean.
 *
 * @module
 */

/** The claims of a vector, each at the index that is its key in CBOR. */
export const VECTOR_CLAIMS = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const;

export type EarVectorClaim = (typeof VECTOR_CLAIMS)[number];

/** Claims without a value are not made. Each value is from -128 to 127. */
export type EarVector = Readonly<Partial<Record<EarVectorClaim, number>>>;

/** From the best to the worst: nothing said is worse than a good word. */
const TIERS = ['affirming', 'none', 'warning', 'contraindicated'] as const;

export type EarTier = (typeof TIERS)[number];

/** The value that stands for a tier in CBOR. */
export const TIER_VALUES: Readonly<Record<EarTier, number>> = {
  none: 0,
  affirming: 2,
  warning: 32,
  contraindicated: 96,
};

/** The tier of one claim (AR4SI, "Enumeration Encoding"); negative values are not standard ones. */
export function tierOf(value: number): EarTier {
  if (value >= -1 && value <= 1) return 'none';
  const size = value < 0 ? -value - 1 : value;
  if (size < 32) return 'affirming';
  return size < 96 ? 'warning' : 'contraindicated';
}

/** The worst of some tiers, at least one. */
export function worstTier(tiers: readonly [EarTier, ...EarTier[]]): EarTier {
  return tiers.reduce((worst, tier) => (TIERS.indexOf(tier) > TIERS.indexOf(worst) ? tier : worst));
}

/** The tier that a status may not be above; claims that say nothing do not lower it. */
export function tierUnder(status: EarTier, vector: EarVector): EarTier {
  const said = Object.values(vector)
    .map(tierOf)
    .filter((tier) => tier !== 'none');
  return worstTier([status, ...said]);
}

/** Whether a vector's value can be one. */
export function isVectorValue(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= -128 && Number(value) <= 127;
}
