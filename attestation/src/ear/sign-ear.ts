/**
 * Signs attestation results.
 *
 * @module
 */
import { signCose } from './cose.ts';
import type { Ear } from './ear.ts';
import { CBOR_FORM, JSON_FORM } from './form.ts';
import { signJws } from './jws.ts';
import type { EarSigningKey } from './signatures.ts';
import { writeClaims } from './write-claims.ts';

export interface SignEarOptions {
  readonly key: EarSigningKey;
  /** A hint for readers with several keys; nothing here reads it. */
  readonly keyId?: string;
}

/**
 * A JWT.
 *
 * @throws RangeError for a result that no EAR may be: without a submodule, with a nonce that is too
 *   short or too long, or with a status that is better than its vector
 * @throws TypeError for a key that is not one for its algorithm
 */
export async function signEarJwt(ear: Ear, { key, keyId }: SignEarOptions): Promise<string> {
  return signJws(writeClaims(ear, JSON_FORM), key, keyId);
}

/** A CWT: COSE_Sign1, tagged. Throws as {@link signEarJwt} does. */
export async function signEarCwt(ear: Ear, { key, keyId }: SignEarOptions): Promise<Uint8Array> {
  return signCose(writeClaims(ear, CBOR_FORM), key, keyId);
}
