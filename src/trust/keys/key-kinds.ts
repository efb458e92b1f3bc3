/**
 * The kinds of keys that images are signed with: those of cosign.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';

const CURVES: readonly unknown[] = ['prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 2048;
/** Verification with longer keys takes too long. */
const MAX_RSA_BITS = 16_384;

/** @throws Error that says which kinds are taken */
export function checkKeyKind(key: KeyObject): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'ed25519') return;
  if (type === 'ec' && CURVES.includes(details.namedCurve)) return;
  if (type !== 'rsa') {
    const kind = details.namedCurve ?? type ?? 'unknown';
    throw new Error(
      `it is of the kind ${kind}: ECDSA on P-256, P-384 or P-521, RSA or Ed25519 is taken`,
    );
  }
  const { modulusLength = 0, publicExponent = 0n } = details;
  // With exponent 1, every signature equals its own message.
  if (publicExponent < 3n) throw new Error(`its public exponent is ${publicExponent}`);
  if (modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS) return;
  throw new Error(
    `it is an RSA key of ${modulusLength} bits: ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are taken`,
  );
}
