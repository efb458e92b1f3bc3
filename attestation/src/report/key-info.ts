/**
 * KEY_INFO: which key signed a report (AMD 56860).
 *
 * Bit 0 is AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 4 to 2 SIGNING_KEY; the rest must be zero.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { hexNumber } from './field.ts';
import type { KeyInfo } from './report-claims.ts';

const SIGNING_KEYS = ['VCEK', 'VLEK'] as const;
/** SIGNING_KEY of a report that a VLEK signed. */
export const SIGNING_KEY_VLEK = 1;
const SIGNING_KEY_NONE = 7;
const KNOWN = 0b1_1111;

/** SIGNING_KEY as it is in the report, also where it has no meaning. */
export function signingKeyBits(raw: number): number {
  return (raw >>> 2) & 0b111;
}

/**
 * The bits of raw key information.
 *
 * @throws AttestationError `report-key-info` for a bit that must be zero, and unless the signing
 *   key is a VCEK (0) or a VLEK (1): a report that says 7 is not signed, and 2 to 6 are reserved
 */
export function decodeKeyInfo(raw: number): KeyInfo {
  if (raw > KNOWN) {
    throw new AttestationError('report-key-info', 'KEY_INFO sets bits that must be zero', {
      expected: 'bits 31 to 5 zero',
      found: hexNumber(raw),
    });
  }
  const signingKey = SIGNING_KEYS[signingKeyBits(raw)];
  if (signingKey === undefined) throw noSigningKey(signingKeyBits(raw));
  return Object.freeze({
    authorKeyEn: (raw & 0b01) !== 0,
    maskChipKey: (raw & 0b10) !== 0,
    signingKey,
  });
}

function noSigningKey(bits: number): AttestationError {
  const message =
    bits === SIGNING_KEY_NONE
      ? 'the report is not signed: its SIGNING_KEY is none'
      : 'the SIGNING_KEY of the report is reserved';
  return new AttestationError('report-key-info', message, {
    expected: '0 (VCEK) or 1 (VLEK)',
    found: String(bits),
  });
}

/** Inverse of {@link decodeKeyInfo}. */
export function encodeKeyInfo(keyInfo: KeyInfo): number {
  return (
    Number(keyInfo.authorKeyEn) |
    (Number(keyInfo.maskChipKey) << 1) |
    (SIGNING_KEYS.indexOf(keyInfo.signingKey) << 2)
  );
}
