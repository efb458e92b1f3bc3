/**
 * A private key that signs, of a kind that cosign verifies.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';

const CURVES: readonly unknown[] = ['prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16_384;

/** Holds the key and gives only signatures away. */
export class SigningKey {
  /** SHA-256 of the public key's SubjectPublicKeyInfo in DER, in hexadecimal: as policies' findings name it. */
  readonly keyId: string;
  readonly #key: KeyObject;

  /** @throws Error that says which kinds are taken */
  constructor(key: KeyObject) {
    checkKind(key);
    this.#key = key;
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    this.keyId = createHash('sha256').update(spki).digest('hex');
  }

  /**
   * Signs with SHA-256 also where the curve is longer: it is what `cosign verify` takes unless it is told another one.
   *
   * @returns ECDSA in DER, RSA by PKCS #1 v1.5, or Ed25519 of the bytes themselves
   */
  sign(bytes: Buffer): Buffer {
    const hash = this.#key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return sign(hash, bytes, { key: this.#key, dsaEncoding: 'der' });
  }
}

function checkKind(key: KeyObject): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'ed25519') return;
  if (type === 'ec' && CURVES.includes(details.namedCurve)) return;
  if (type !== 'rsa') {
    throw new Error(
      `it is of the kind ${details.namedCurve ?? type ?? 'unknown'}: ECDSA on P-256, P-384 or P-521, RSA or Ed25519 is taken`,
    );
  }
  const { modulusLength = 0, publicExponent = 0n } = details;
  if (publicExponent < 3n) throw new Error(`its public exponent is ${publicExponent}`);
  if (modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS) return;
  throw new Error(
    `it is an RSA key of ${modulusLength} bits: ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are taken`,
  );
}
