/**
 * The digests of the keys of those who may call the guest: to inject a secret, or to seal, as a
 * launch spec names them.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { A3sError } from '../../errors.ts';

/**
 * Curves of the ECDSA keys by which the guest verifies signatures. It also verifies by Ed25519
 * keys.
 */
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1']);
const ONE_PUBLIC_KEY =
  /^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/;

/**
 * SHA-256 of the SubjectPublicKeyInfo in DER.
 *
 * @param whose what the key is for, as `that is to seal`
 *
 * @throws A3sError `key-invalid`, also for a private key, which the message does not repeat
 */
export function callerDigest(pem: string, whose: string): string {
  if (!ONE_PUBLIC_KEY.test(pem)) throw invalid(whose, 'it is not one public key in PEM');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem' });
  } catch (cause) {
    throw invalid(whose, 'it cannot be read', cause);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== 'ed25519' && !(type === 'ec' && CURVES.has(details?.namedCurve))) {
    throw invalid(whose, `its kind is ${details?.namedCurve ?? type}`);
  }
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}

function invalid(whose: string, why: string, cause?: unknown): A3sError {
  return new A3sError('key-invalid', `Cannot use a key ${whose}: ${why}`, {
    remedy: 'Give the public key in PEM: Ed25519, or ECDSA on P-256 or P-384.',
    cause,
  });
}
