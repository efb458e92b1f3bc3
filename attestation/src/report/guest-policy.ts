/**
 * POLICY: the guest policy of a report (AMD 56860, GUEST_POLICY).
 *
 * @module
 */
import type { GuestPolicy } from './report-claims.ts';

/** Bit 17, which must be one. */
export const POLICY_MUST_BE_ONE = 1n << 17n;

/** Bits 63 to 26, which must be zero. */
export const POLICY_MUST_BE_ZERO = 0xffff_ffff_fc00_0000n;

/** The bits of a raw policy; what they must be is not looked at. */
export function decodeGuestPolicy(raw: bigint): GuestPolicy {
  const bit = (index: bigint) => ((raw >> index) & 1n) === 1n;
  return Object.freeze({
    raw,
    abiMajor: Number((raw >> 8n) & 0xffn),
    abiMinor: Number(raw & 0xffn),
    smt: bit(16n),
    migrateMa: bit(18n),
    debug: bit(19n),
    singleSocket: bit(20n),
    cxlAllow: bit(21n),
    memAes256Xts: bit(22n),
    raplDis: bit(23n),
    ciphertextHidingDram: bit(24n),
    pageSwapDisable: bit(25n),
  });
}
