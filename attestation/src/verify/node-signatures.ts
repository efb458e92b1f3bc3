/**
 * Answers a verification's questions with `node:crypto`.
 *
 * @module
 */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { EcKey, RsaKey, SignatureQuestion, Verification } from './signature.ts';

/** Runs a verification to its end. */
export function answerNow<T>(verification: Verification<T>): T {
  let step = verification.next();
  while (step.done !== true) step = verification.next(isSignedBy(step.value));
  return step.value;
}

function isSignedBy(question: SignatureQuestion): boolean {
  const { signed, signature } = question;
  if (question.algorithm === 'ecdsa-p384-sha384') {
    const key = ecKey(question.key);
    return verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
  const key = rsaKey(question.key);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return verify('sha384', signed, { key, padding, saltLength: 48 }, signature);
}

/** Pinned keys are few and live as long as the program; each is imported once. */
const pinned = new WeakMap<RsaKey, KeyObject>();

function rsaKey(key: RsaKey): KeyObject {
  const found = pinned.get(key);
  if (found !== undefined) return found;
  const jwk = { kty: 'RSA', n: base64url(key.modulus), e: 'AQAB' };
  const made = createPublicKey({ key: jwk, format: 'jwk' });
  pinned.set(key, made);
  return made;
}

/**
 * Endorsement keys that were used last, by their points.
 *
 * Importing one costs half as much as the signature that it is for. Only keys that a pinned
 * intermediate signed get this far, so strangers cannot push others out.
 */
const endorsed = new Map<string, KeyObject>();
const MAX_ENDORSED = 256;

function ecKey({ point }: EcKey): KeyObject {
  const x = base64url(point.subarray(1, 49));
  const y = base64url(point.subarray(49));
  const found = endorsed.get(x + y);
  if (found !== undefined) return found;
  const made = createPublicKey({ key: { kty: 'EC', crv: 'P-384', x, y }, format: 'jwk' });
  if (endorsed.size === MAX_ENDORSED) endorsed.clear();
  endorsed.set(x + y, made);
  return made;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
