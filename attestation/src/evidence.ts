/**
 * The bytes that an attester sends, all untrusted.
 *
 * @module
 */

/** An attestation report with its endorsements. */
export interface Evidence {
  /** ATTESTATION_REPORT, 1184 bytes. */
  readonly report: Uint8Array;
  /** DER of the VCEK or VLEK certificate. */
  readonly vek?: Uint8Array | undefined;
  /**
   * DER of authorities that came along (ASK, ASVK, ARK).
   *
   * Trust comes only from the pinned keys; an authority that is not pinned is refused.
   */
  readonly authorities?: readonly Uint8Array[] | undefined;
}
