/**
 * Signatures of tokens, by WebCrypto, which Node and browsers have.
 *
 * @module
 */
const { subtle } = globalThis.crypto;

/** All that there is to know about one algorithm. */
interface Algorithm {
  /** Its number in COSE (RFC 9053). */
  readonly cose: number;
  readonly key: { readonly name: string; readonly namedCurve?: string };
  readonly signature: { readonly name: string; readonly hash?: string };
  /** Bytes of a signature: r and s, one after the other, or R and S of Ed25519. */
  readonly size: number;
}

export const ALGORITHMS = {
  ES256: {
    cose: -7,
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    signature: { name: 'ECDSA', hash: 'SHA-256' },
    size: 64,
  },
  ES384: {
    cose: -35,
    key: { name: 'ECDSA', namedCurve: 'P-384' },
    signature: { name: 'ECDSA', hash: 'SHA-384' },
    size: 96,
  },
  EdDSA: { cose: -8, key: { name: 'Ed25519' }, signature: { name: 'Ed25519' }, size: 64 },
} as const satisfies Readonly<Record<string, Algorithm>>;

export type EarAlgorithm = keyof typeof ALGORITHMS;

/** A key of a verifier that is trusted, and the one algorithm that it signs by. */
export interface EarKey {
  readonly algorithm: EarAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

/** The key of an issuer. */
export interface EarSigningKey {
  readonly algorithm: EarAlgorithm;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array;
}

/** @throws TypeError for a key that is not one for its algorithm */
export async function signed(key: EarSigningKey, bytes: Uint8Array): Promise<Uint8Array> {
  const algorithm: Algorithm = ALGORITHMS[key.algorithm];
  const imported = await importing(key.algorithm, () =>
    subtle.importKey('pkcs8', owned(key.privateKey), algorithm.key, false, ['sign']),
  );
  return new Uint8Array(await subtle.sign(algorithm.signature, imported, owned(bytes)));
}

/** @throws TypeError for a key that is not one for its algorithm */
export async function isSigned(
  key: EarKey,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const algorithm: Algorithm = ALGORITHMS[key.algorithm];
  const imported = await importing(key.algorithm, () =>
    subtle.importKey('spki', owned(key.publicKey), algorithm.key, false, ['verify']),
  );
  if (signature.length !== algorithm.size) return false;
  return subtle.verify(algorithm.signature, imported, owned(signature), owned(bytes));
}

async function importing<T>(algorithm: EarAlgorithm, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new TypeError(`The key must be one for ${algorithm}, in DER.`, { cause });
  }
}

/** WebCrypto takes no view of memory that others may share. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}
