/**
 * PLATFORM_INFO of a report (AMD 56860).
 *
 * @module
 */
import type { PlatformInfo } from './report-claims.ts';

/** Bits that have a meaning; a policy decides on others, since firmware adds to them. */
export const PLATFORM_INFO_KNOWN = 0xffn;

/** The bits of raw platform information. */
export function decodePlatformInfo(raw: bigint): PlatformInfo {
  const bit = (index: bigint) => ((raw >> index) & 1n) === 1n;
  return Object.freeze({
    raw,
    smtEn: bit(0n),
    tsmeEn: bit(1n),
    eccEn: bit(2n),
    raplDis: bit(3n),
    ciphertextHidingDramEn: bit(4n),
    aliasCheckComplete: bit(5n),
    iommuWriteSafe: bit(6n),
    tioEn: bit(7n),
  });
}
