/**
 * Verifies attestation results.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { EAR_NONCE_SIZE, isNonce } from './bounds.ts';
import { decodeClaims } from './cbor-reader.ts';
import { isTreeMap, type TreeMap } from './claim-value.ts';
import { openCose } from './cose.ts';
import type { Ear } from './ear.ts';
import { CBOR_FORM, type Form, JSON_FORM } from './encoding.ts';
import { decodeJson } from './json.ts';
import { openJws } from './jws.ts';
import { malformed } from './malformed.ts';
import type { OpenedToken } from './opened-token.ts';
import { EAR_PROFILES, type EarProfile } from './profiles.ts';
import { type ReadEar, readClaims } from './read-claims.ts';
import { type EarKey, isSigned } from './signatures.ts';
import type { EarTier } from './tiers.ts';

export interface VerifyEarOptions {
  /** The keys of the verifiers that are trusted, each with its algorithm; at least one. */
  readonly keys: readonly EarKey[];
  /** The nonce that the verifier was given; `any-explicit` where an old result will do. */
  readonly nonce: Uint8Array | 'any-explicit';
  readonly now: Date;
  /** The age from which on a result is too old, whenever it says that it expires. */
  readonly maxAgeSeconds: number;
  /** How far the issuer's clock may be off; at most 300, and 30 where it is left out. */
  readonly skewSeconds?: number;
  /** All known ones where it is left out. */
  readonly profiles?: readonly EarProfile[];
}

/** A result whose signature, profile, nonce and times hold. That does not make it a good one. */
export interface VerifiedEar extends Ear {
  /** The worst of all that it says: `affirming`, `none`, `warning` or `contraindicated`. */
  readonly status: EarTier;
}

/**
 * Verifies a JWT.
 *
 * @throws AttestationError with a code: `ear-malformed`, `ear-critical`, `ear-algorithm`,
 *   `ear-signature`, `ear-profile`, `ear-nonce` or `ear-time`
 * @throws TypeError or RangeError for options that make no sense
 */
export async function verifyEarJwt(token: string, options: VerifyEarOptions): Promise<VerifiedEar> {
  if (typeof token !== 'string') throw new TypeError('token must be a string');
  const fixed = fixedOptions(options);
  const payload = await authentic(openJws(token), fixed.keys);
  return appraised(decodeJson(payload, 'the claims'), JSON_FORM, fixed);
}

/** Verifies a CWT. Throws as {@link verifyEarJwt} does. */
export async function verifyEarCwt(
  token: Uint8Array,
  options: VerifyEarOptions,
): Promise<VerifiedEar> {
  const fixed = fixedOptions(options);
  const payload = await authentic(openCose(ownedBytes(token, 'token')), fixed.keys);
  return appraised(claimsOfCbor(payload), CBOR_FORM, fixed);
}

/** The claims of a CWT's payload. */
export function claimsOfCbor(payload: Uint8Array): TreeMap {
  const claims = decodeClaims(payload, 'the claims');
  if (!isTreeMap(claims)) throw malformed('the claims', 'a map');
  return claims;
}

interface FixedOptions {
  readonly keys: readonly EarKey[];
  readonly nonce: Uint8Array | undefined;
  readonly now: number;
  readonly maxAge: number;
  readonly skew: number;
  readonly profiles: readonly EarProfile[];
}

const MAX_KEYS = 16;
const MAX_SKEW = 300;
const DEFAULT_SKEW = 30;

function fixedOptions(options: VerifyEarOptions): FixedOptions {
  const { keys, nonce, now, maxAgeSeconds, skewSeconds = DEFAULT_SKEW } = options;
  demand(keys.length > 0 && keys.length <= MAX_KEYS, `keys must be 1 to ${MAX_KEYS}`);
  demand(!Number.isNaN(now.getTime()), 'now must be a time');
  demand(maxAgeSeconds > 0 && maxAgeSeconds < Infinity, 'maxAgeSeconds must be above 0');
  demand(skewSeconds >= 0 && skewSeconds <= MAX_SKEW, `skewSeconds must be 0 to ${MAX_SKEW}`);
  const { min, max } = EAR_NONCE_SIZE;
  const isOne = nonce instanceof Uint8Array && isNonce(nonce);
  demand(
    nonce === 'any-explicit' || isOne,
    `nonce must be ${min} to ${max} bytes, or "any-explicit"`,
  );
  return {
    keys: keys.map(({ algorithm, publicKey }) => ({
      algorithm,
      publicKey: ownedBytes(publicKey, 'publicKey'),
    })),
    nonce: nonce === 'any-explicit' ? undefined : ownedBytes(nonce, 'nonce'),
    now: now.getTime(),
    maxAge: maxAgeSeconds * 1000,
    skew: skewSeconds * 1000,
    profiles: [...(options.profiles ?? EAR_PROFILES)],
  };
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new RangeError(`Cannot verify the attestation result: ${what}.`);
}

/** The payload, once one of the keys has signed it by its own algorithm. */
async function authentic(token: OpenedToken, keys: readonly EarKey[]): Promise<Uint8Array> {
  const candidates = keys.filter(({ algorithm }) => algorithm === token.algorithm);
  if (candidates.length === 0) {
    const expected = keys.map(({ algorithm }) => algorithm).join(' or ');
    const message = `the token is signed by ${token.algorithm}, and the keys are for ${expected}`;
    throw new AttestationError('ear-algorithm', message, { expected, found: token.algorithm });
  }
  const wrongKeys: unknown[] = [];
  for (const key of candidates) {
    try {
      if (await isSigned(key, token.signed, token.signature)) return token.payload;
    } catch (error) {
      // A key that is none must not hide another one, which is right.
      wrongKeys.push(error);
    }
  }
  if (wrongKeys.length > 0) throw wrongKeys[0];
  throw new AttestationError('ear-signature', 'none of the keys has signed the token');
}

function appraised(claims: TreeMap, form: Form, options: FixedOptions): VerifiedEar {
  const { notBefore, ...ear } = readClaims(claims, form, options.profiles);
  checkNonce(ear.nonce, options.nonce);
  checkTimes({ ...ear, ...(notBefore === undefined ? {} : { notBefore }) }, options);
  return Object.freeze(ear);
}

function checkNonce(found: Uint8Array | undefined, expected: Uint8Array | undefined): void {
  if (expected === undefined) return;
  const same =
    found?.length === expected.length && found.every((byte, index) => byte === expected[index]);
  if (same) return;
  const what = found === undefined ? 'has no nonce' : 'has another nonce';
  throw new AttestationError('ear-nonce', `the attestation result ${what}`);
}

function checkTimes(ear: ReadEar, { now, skew, maxAge }: FixedOptions): void {
  const issued = ear.issuedAt.getTime();
  const begins = Math.max(issued, ear.notBefore?.getTime() ?? issued);
  if (begins > now + skew) throw untimely('from the future', new Date(begins), now);
  const ends = Math.min(issued + maxAge, ear.expiresAt?.getTime() ?? Infinity);
  // "On or after" the time of exp it is not accepted (RFC 7519, section 4.1.4).
  if (ends <= now - skew) throw untimely('expired or too old', new Date(ends), now);
}

function untimely(how: string, limit: Date, now: number): AttestationError {
  const found = new Date(now).toISOString();
  return new AttestationError('ear-time', `the attestation result is ${how}`, {
    expected: `${how === 'from the future' ? 'a time from' : 'a time before'} ${limit.toISOString()}`,
    found,
  });
}
