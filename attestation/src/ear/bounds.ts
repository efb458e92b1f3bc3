/**
 * What an attestation result may be, the same for writers and for readers.
 *
 * @module
 */
import { type EarTier, TIER_VALUES } from './tiers.ts';

/** Bytes of a nonce (RFC 9711, section 4.1). */
export const EAR_NONCE_SIZE = Object.freeze({ min: 8, max: 64 });

export const MAX_POLICIES = 64;

/** Seconds until the end of the year 9999. */
const MAX_TIME = 253_402_300_799;

export function isNonce(bytes: Uint8Array): boolean {
  return bytes.length >= EAR_NONCE_SIZE.min && bytes.length <= EAR_NONCE_SIZE.max;
}

/** Whole seconds since 1970. */
export function isTime(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TIME;
}

/** Seconds: a result that is never valid is none. */
export function isPeriod(issued: number, begins = issued, ends = Infinity): boolean {
  return Math.max(issued, begins) < ends;
}

/** Text that UTF-8 can have. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Cs}/u.test(value);
}

export function arePolicies(ids: readonly unknown[]): ids is readonly string[] {
  const some = ids.length > 0 && ids.length <= MAX_POLICIES;
  return some && ids.every((id) => isText(id) && id !== '');
}

export function isTier(value: unknown): value is EarTier {
  return typeof value === 'string' && Object.hasOwn(TIER_VALUES, value);
}
