/**
 * What an attester hands over: bytes, all untrusted.
 *
 * @module
 */

/** An attestation report with what endorses it. */
export interface Evidence {
  /** ATTESTATION_REPORT, 1184 bytes. */
  readonly report: Uint8Array;
  /** DER of the VCEK or VLEK certificate. */
  readonly vek?: Uint8Array | undefined;
  /**
   * DER of authorities that came along (ASK, ASVK, ARK).
   *
   * Trust never comes from here, but from the pinned keys; yet one that is not pinned is refused.
   */
  readonly authorities?: readonly Uint8Array[] | undefined;
}
