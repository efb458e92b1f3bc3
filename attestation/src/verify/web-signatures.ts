/**
 * Answers a verification's questions with WebCrypto, as browsers have it.
 *
 * @module
 */
import type { EcKey, RsaKey, SignatureQuestion, Verification } from './signature.ts';

const { subtle } = globalThis.crypto;

type Key = Awaited<ReturnType<typeof subtle.importKey>>;

/** Runs a verification to its end. */
export async function answerLater<T>(verification: Verification<T>): Promise<T> {
  let step = verification.next();
  while (step.done !== true) step = verification.next(await isSignedBy(step.value));
  return step.value;
}

async function isSignedBy(question: SignatureQuestion): Promise<boolean> {
  const signed = owned(question.signed);
  const signature = owned(question.signature);
  if (question.algorithm === 'ecdsa-p384-sha384') {
    const algorithm = { name: 'ECDSA', hash: 'SHA-384' };
    return subtle.verify(algorithm, await ecKey(question.key), signature, signed);
  }
  const algorithm = { name: 'RSA-PSS', saltLength: 48 };
  return subtle.verify(algorithm, await rsaKey(question.key), signature, signed);
}

/** As a JWK: WebCrypto takes no SubjectPublicKeyInfo that names RSASSA-PSS. */
function rsaKey({ modulus }: RsaKey): Promise<Key> {
  const jwk = { kty: 'RSA', n: base64url(modulus), e: 'AQAB', alg: 'PS384' };
  return subtle.importKey('jwk', jwk, { name: 'RSA-PSS', hash: 'SHA-384' }, false, ['verify']);
}

async function ecKey({ point }: EcKey): Promise<Key> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384' };
  return subtle.importKey('raw', owned(point), algorithm, false, ['verify']);
}

/** WebCrypto takes no view of memory that others may share. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
