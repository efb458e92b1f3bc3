/**
 * RSASSA-PSS as AMD's authorities sign: SHA-384, MGF1 with SHA-384, salt of 48 bytes.
 *
 * @module
 */
import { constants, type KeyObject, sign } from 'node:crypto';

/** Signs with a random salt: the same bytes never give the same signature. */
export function signPss(bytes: Uint8Array, key: KeyObject): Uint8Array {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return new Uint8Array(sign('sha384', bytes, { key, padding, saltLength: 48 }));
}
