/**
 * The public key of a party that may inject a secret, or seal, from a file.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Context } from '../context.ts';
import { inputName, readInput } from '../files/input-file.ts';
import { UsageError } from '../usage-error.ts';

const MAX_KEY_FILE = 16 * 1024;
const ONE_PUBLIC_KEY =
  /^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----$/;
/** As OpenSSL names them. */
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];

/**
 * The key as PEM, in one spelling.
 *
 * @throws UsageError `key-invalid` for text that is not a public key, or a key that a box cannot
 * check
 */
export async function readInjectorKey(
  context: Context,
  path: string,
  flag: '--secret' | '--sealer' = '--secret',
): Promise<string> {
  const bytes = await readInput(context, path, MAX_KEY_FILE, flag);
  const text = Buffer.from(bytes).toString('latin1').trim();
  const name = inputName(path);
  if (text.includes('PRIVATE KEY')) {
    throw invalid(
      flag,
      `${name} is a private key, and a box is given the public one`,
      'Get it with openssl pkey -in FILE -pubout.',
    );
  }
  const key = ONE_PUBLIC_KEY.test(text) ? publicKey(text) : undefined;
  if (key === undefined) throw invalid(flag, `${name} is not one public key in PEM`);
  if (!canSign(key)) {
    throw invalid(
      flag,
      `${name} is not a key on Ed25519, P-256 or P-384, and others are not supported`,
    );
  }
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

function publicKey(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function canSign({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'ed25519') return true;
  return asymmetricKeyType === 'ec' && CURVES.includes(asymmetricKeyDetails?.namedCurve);
}

function invalid(flag: string, reason: string, remedy?: string): UsageError {
  return new UsageError(`${flag}: ${reason}`, { code: 'key-invalid', remedy });
}
