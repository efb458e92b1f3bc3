/**
 * A private key that signs, of a kind that cosign verifies.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { checkKeyKind } from '../trust/keys/key-kinds.ts';

/** Holds the key and returns only signatures. */
export class SigningKey {
  /**
   * SHA-256 of the public key's SubjectPublicKeyInfo in DER, in hexadecimal: as findings of
   * policies name it.
   */
  readonly keyId: string;
  readonly #key: KeyObject;

  /** @throws Error that says which kinds are taken */
  constructor(key: KeyObject) {
    checkKeyKind(key);
    this.#key = key;
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    this.keyId = createHash('sha256').update(spki).digest('hex');
  }

  /**
   * Signs with SHA-256 also where the curve is longer: `cosign verify` expects it unless an option
   * names another hash.
   *
   * @returns ECDSA in DER, RSA by PKCS #1 v1.5, or Ed25519 of the bytes themselves
   */
  sign(bytes: Buffer): Buffer {
    const hash = this.#key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return sign(hash, bytes, { key: this.#key, dsaEncoding: 'der' });
  }
}
