/**
 * The algorithm of a key that signs attestation results: each kind of key has one.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { UsageError } from '../../../usage-error.ts';

/** @throws UsageError `key-invalid` for a key of another kind */
export function algorithmOf(key: KeyObject, flag: string): 'ES256' | 'ES384' | 'EdDSA' {
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return 'ES256';
  if (curve === 'secp384r1') return 'ES384';
  throw new UsageError(`${flag}: it is not a key on Ed25519, P-256 or P-384`, {
    code: 'key-invalid',
  });
}
