/**
 * Signs attestation results.
 *
 * @module
 */
import { signCose } from './cose.ts';
import type { Ear } from './ear.ts';
import { CBOR_FORM, JSON_FORM } from './encoding.ts';
import { signJws } from './jws.ts';
import { MAX_TOKEN_SIZE } from './malformed.ts';
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
 * @throws RangeError for a result that no reader takes: without a submodule, with a nonce that is
 *   too short or too long, or with a status that is better than its vector; and for one that
 *   affirms evidence of any age, and has a nonce
 * @throws TypeError for a key that is not one for its algorithm
 */
export async function signEarJwt(ear: Ear, { key, keyId }: SignEarOptions): Promise<string> {
  return readable(await signJws(writeClaims(ear, JSON_FORM), key, keyId));
}

/** A CWT: COSE_Sign1, tagged. Throws as {@link signEarJwt} does. */
export async function signEarCwt(ear: Ear, { key, keyId }: SignEarOptions): Promise<Uint8Array> {
  return readable(await signCose(writeClaims(ear, CBOR_FORM), key, keyId));
}

function readable<T extends { readonly length: number }>(token: T): T {
  if (token.length <= MAX_TOKEN_SIZE) return token;
  throw new RangeError('Cannot issue the attestation result: no reader takes one of its size.');
}
