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
const imported = new WeakMap<RsaKey, KeyObject>();

function rsaKey(key: RsaKey): KeyObject {
  let found = imported.get(key);
  if (found === undefined) {
    const jwk = { kty: 'RSA', n: base64url(key.modulus), e: 'AQAB' };
    found = createPublicKey({ key: jwk, format: 'jwk' });
    imported.set(key, found);
  }
  return found;
}

function ecKey({ point }: EcKey): KeyObject {
  const jwk = {
    kty: 'EC',
    crv: 'P-384',
    x: base64url(point.subarray(1, 49)),
    y: base64url(point.subarray(49)),
  };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
