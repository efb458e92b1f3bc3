/**
 * The encrypted key files of cosign: a JSON document in PEM, with scrypt and NaCl's secretbox.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import * as z from 'zod';
import { parseDocument } from '../oci/json/json.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const MAX_SALT = 1024;
const MAX_CIPHERTEXT = 64 * 1024;
/** Of scrypt: 128 · N · r bytes. cosign takes 64 MiB of them. */
const MAX_MEMORY = 512 * 1024 ** 2;
/** Of scrypt: N · r · p, as a measure of time; cosign's is 2^19. */
const MAX_WORK = 2 ** 23;

const derive: (
  password: Buffer,
  salt: Buffer,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer> = promisify(scrypt);

const Base64 = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'must be base64')
  .transform((text) => Buffer.from(text, 'base64'));

const Cost = z
  .strictObject({ N: z.int().min(2), r: z.int().min(1), p: z.int().min(1) })
  .refine(({ N }) => N <= 2 ** 30 && (N & (N - 1)) === 0, 'N must be a power of two up to 2^30')
  .refine(({ N, r }) => 128 * N * r <= MAX_MEMORY, `must not need more than ${MAX_MEMORY} bytes`)
  .refine(({ N, r, p }) => N * r * p <= MAX_WORK, `N times r times p must not exceed ${MAX_WORK}`);

const KeyFile = z.strictObject({
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    params: Cost,
    salt: Base64.refine(({ length }) => length > 0 && length <= MAX_SALT, 'has a wrong length'),
  }),
  cipher: z.strictObject({
    name: z.literal('nacl/secretbox'),
    nonce: Base64.refine(({ length }) => length === NONCE_BYTES, `must be ${NONCE_BYTES} bytes`),
  }),
  ciphertext: Base64.refine(({ length }) => length <= MAX_CIPHERTEXT, 'is too long'),
});
export type CosignKeyFile = z.infer<typeof KeyFile>;

/**
 * Reads what stands between the lines of PEM, without opening it.
 *
 * @throws A3sError that names every bad field, and quotes none
 */
export function parseCosignKey(document: Buffer): CosignKeyFile {
  return parseDocument(document, KeyFile, 'its encrypted key');
}

/**
 * Undefined where the password is wrong or the file was changed: the two cannot be distinguished.
 */
export async function openCosignKey(
  { kdf, cipher, ciphertext }: CosignKeyFile,
  password: string,
): Promise<KeyObject | undefined> {
  const secret = await derive(Buffer.from(password), kdf.salt, KEY_BYTES, {
    ...kdf.params,
    maxmem: 2 * MAX_MEMORY,
  });
  const der = opened(secret, cipher.nonce, ciphertext);
  secret.fill(0);
  if (der === undefined) return undefined;
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

function opened(secret: Buffer, nonce: Buffer, ciphertext: Buffer): Uint8Array | undefined {
  try {
    return Uint8Array.from(xsalsa20poly1305(secret, nonce).decrypt(ciphertext));
  } catch {
    // Opening the secretbox failed; the library gives no other reason.
    return undefined;
  }
}
