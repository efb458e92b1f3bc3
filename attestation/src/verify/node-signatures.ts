/**
 * Answers a verification's questions with `node:crypto`.
 *
 * @module
 */
import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ecSubjectPublicKeyInfo, rsaSubjectPublicKeyInfo } from '../certificates/keys.ts';
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
  return isCertified(question.key, signed, signature);
}

/**
 * Signatures of pinned keys that hold, by a digest of all that decides: certificates come again
 * with each report. Only what a pinned key signed is kept, so strangers cannot push others out.
 */
const certified = new Set<string>();
const MAX_CERTIFIED = 256;

function isCertified(pinnedKey: RsaKey, signed: Uint8Array, signature: Uint8Array): boolean {
  const name = createHash('sha256');
  for (const part of [pinnedKey.modulus, signature, signed])
    name.update(`${part.length} `).update(part);
  const digest = name.digest('base64');
  if (certified.has(digest)) return true;
  const key = rsaKey(pinnedKey);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const holds = verify('sha384', signed, { key, padding, saltLength: 48 }, signature);
  if (!holds) return false;
  if (certified.size === MAX_CERTIFIED) certified.clear();
  certified.add(digest);
  return true;
}

/** Pinned keys are few and live as long as the program; each is imported once. */
const pinned = new WeakMap<RsaKey, KeyObject>();

function rsaKey(key: RsaKey): KeyObject {
  const found = pinned.get(key);
  if (found !== undefined) return found;
  const made = imported(rsaSubjectPublicKeyInfo(key));
  pinned.set(key, made);
  return made;
}

/**
 * Endorsement keys that were used last, by their points.
 *
 * Importing one takes a quarter of the time of the signature that it is for. Only keys that a
 * pinned intermediate signed get this far, so strangers cannot push others out.
 */
const endorsed = new Map<string, KeyObject>();
const MAX_ENDORSED = 256;

function ecKey(key: EcKey): KeyObject {
  const name = bufferOf(key.point).toString('latin1');
  const found = endorsed.get(name);
  if (found !== undefined) return found;
  const made = imported(ecSubjectPublicKeyInfo(key));
  if (endorsed.size === MAX_ENDORSED) endorsed.clear();
  endorsed.set(name, made);
  return made;
}

/** As SubjectPublicKeyInfo: a JWK takes five times as long. */
function imported(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: bufferOf(spki), format: 'der', type: 'spki' });
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
