/**
 * The entries of the list of known vulnerabilities.
 *
 * @module
 */

/**
 * The kind of thing that a digest identifies.
 *
 * - `firmware`: SHA-256 of a firmware file
 * - `firmware-pages`: the launch digest over the pages of a firmware alone, as launch records have
 *   it
 * - `launch`: the launch digest of a guest, MEASUREMENT of its reports
 * - `chip`: CHIP_ID of a processor whose keys are out; no digest, and it stands where digests do
 */
export type VulnerableKind = 'firmware' | 'firmware-pages' | 'launch' | 'chip';

/** One thing that is known to be vulnerable. */
export interface KnownVulnerable {
  /** Of the advisory, such as `A3S-2026-0001`. */
  readonly id: string;
  /** Day on which it was listed, `YYYY-MM-DD`. */
  readonly date: string;
  readonly kind: VulnerableKind;
  /** Lower-case hexadecimal. */
  readonly digest: string;
  readonly reason: string;
  /** Where it is described: a path below `docs`. */
  readonly advisory: string;
}

export interface KnownVulnerableList {
  /** Day of the last change, `YYYY-MM-DD`. */
  readonly date: string;
  readonly entries: readonly KnownVulnerable[];
}

/** As the document has it. */
export interface ListedVulnerable extends KnownVulnerable {
  /** What has this digest. */
  readonly subject: string;
}

/** The same, with the common members of several digests written once. */
export interface KnownVulnerableData {
  readonly date: string;
  readonly groups: readonly (Omit<KnownVulnerable, 'kind' | 'digest'> & {
    readonly digests: readonly (readonly [kind: VulnerableKind, digest: string])[];
  })[];
}
