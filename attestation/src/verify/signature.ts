/**
 * The signatures that a verification asks about.
 *
 * A verification computes none itself: it yields each question and is resumed with the answer. So
 * one and the same logic runs on `node:crypto`, which answers at once, and on WebCrypto, which
 * answers later.
 *
 * @module
 */

/** An RSA key of 4096 bits; the exponent is 65537. */
export interface RsaKey {
  /** Big-endian, 512 bytes. */
  readonly modulus: Uint8Array;
}

/** A key on P-384. */
export interface EcKey {
  /** Uncompressed: 04, X, Y; 97 bytes. */
  readonly point: Uint8Array;
}

/** Whether `key` made `signature` over `signed`. */
export type SignatureQuestion =
  | {
      /** RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes. */
      readonly algorithm: 'rsa-pss-sha384';
      readonly key: RsaKey;
      readonly signed: Uint8Array;
      readonly signature: Uint8Array;
    }
  | {
      /** ECDSA with SHA-384; the signature is R and S, big-endian, 48 bytes each. */
      readonly algorithm: 'ecdsa-p384-sha384';
      readonly key: EcKey;
      readonly signed: Uint8Array;
      readonly signature: Uint8Array;
    };

/** A computation that asks about signatures on its way to a `T`. */
export type Verification<T> = Generator<SignatureQuestion, T, boolean>;
