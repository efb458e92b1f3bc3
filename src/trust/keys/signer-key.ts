/**
 * Signatures by public keys, with the algorithms that cosign signs with.
 *
 * @module
 */
import { createHash, type KeyObject, verify } from 'node:crypto';

const MIN_RSA_BITS = 2048;

/** Which hash goes with which curve; cosign up to 2.x takes SHA-256 with all of them. */
const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['sha256'],
  secp384r1: ['sha256', 'sha384'],
  secp521r1: ['sha256', 'sha512'],
};

/** Hashes of what is signed that go with a key. */
export function hashesOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): readonly string[] {
  if (asymmetricKeyType !== 'ec') return ['sha256'];
  return CURVES[asymmetricKeyDetails?.namedCurve ?? ''] ?? [];
}

/** ECDSA (DER), RSA (PKCS #1 v1.5), Ed25519. Any other key signs nothing. */
export function isSignedBy(key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  try {
    switch (key.asymmetricKeyType) {
      case 'ec':
        return hashesOf(key).some((hash) =>
          verify(hash, signed, { key, dsaEncoding: 'der' }, signature),
        );
      case 'rsa':
        return isLong(key) && verify('sha256', signed, key, signature);
      case 'ed25519':
        return verify(null, signed, key, signature);
      default:
        return false;
    }
  } catch {
    // OpenSSL throws for some malformed signatures, and returns false for others.
    return false;
  }
}

/** One text for one key, however it was encoded and named. */
export function identityOfKey(key: KeyObject): string {
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' });
  return sha256(JSON.stringify([kty, crv, x, y, n, e]));
}

function isLong(key: KeyObject): boolean {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
