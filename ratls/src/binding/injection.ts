/**
 * The message that an injector signs: one value for one secret of one box, in one session.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { lengthPrefixed } from './length-prefixed.ts';

const DOMAIN = 'a3s-box/inject-secret/v1';

/** The exporter of a session in which a secret is injected; its context is the secret's name. */
export const INJECT_EXPORTER = 'EXPORTER-a3s-box-inject-v1';

/** No longer value is taken. */
export const MAX_SECRET_SIZE = 64 * 1024;

/** All that an injector's signature covers. */
export interface Injection {
  /** 32 bytes, from the session. */
  readonly exporter: Uint8Array;
  /** SubjectPublicKeyInfo of the agent's key in this session. */
  readonly spki: Uint8Array;
  readonly instance: Uint8Array;
  readonly specDigest: Uint8Array;
  readonly name: string;
  readonly value: Uint8Array;
}

/** A kind of key that can inject: the hash that it signs, and the bytes of its one encoding. */
interface KeyKind {
  readonly hash: string | null;
  readonly size: number;
}

const KINDS: ReadonlyMap<string, KeyKind> = new Map([
  ['ed25519', { hash: null, size: 44 }],
  ['prime256v1', { hash: 'sha256', size: 91 }],
  ['secp384r1', { hash: 'sha384', size: 120 }],
]);

/** The bytes that are signed. */
export function injectionMessage(injection: Injection): Uint8Array {
  const { exporter, spki, instance, specDigest, name, value } = injection;
  const digest = createHash('sha256').update(value).digest();
  return lengthPrefixed([DOMAIN, exporter, spki, instance, specDigest, name, digest]);
}

/** Whether a key, public or private, is of a kind that can inject. */
export function canInject(key: KeyObject): boolean {
  return KINDS.has(kindOf(key));
}

/**
 * Ed25519, or ECDSA of P-256 with SHA-256 and of P-384 with SHA-384 as r ‖ s.
 *
 * @throws {TypeError} for a key of another kind
 */
export function signInjection(injection: Injection, key: KeyObject): Uint8Array {
  return signMessage(injectionMessage(injection), key);
}

/** The same, of any message. @throws {TypeError} */
export function signMessage(message: Uint8Array, key: KeyObject): Uint8Array {
  const kind = KINDS.get(kindOf(key));
  if (kind === undefined) throw new TypeError(`Cannot sign with a key of kind ${kindOf(key)}`);
  return sign(kind.hash, message, { key, dsaEncoding: 'ieee-p1363' });
}

/** Whether the owner of a key, SubjectPublicKeyInfo in DER, signed it. */
export function verifyInjection(
  injection: Injection,
  { key: der, signature }: { readonly key: Uint8Array; readonly signature: Uint8Array },
): 'accepted' | 'injector-key-malformed' | 'injector-signature-invalid' {
  const key = publicKeyOf(der);
  const kind = key && KINDS.get(kindOf(key));
  // A compressed point, say, is the same key under another digest.
  if (key === undefined || kind?.size !== der.length) return 'injector-key-malformed';
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  const good = verify(kind.hash, injectionMessage(injection), options, signature);
  return good ? 'accepted' : 'injector-signature-invalid';
}

/** Whether the owner of a key, SubjectPublicKeyInfo in DER, signed a message. */
export function isSignedBy(message: Uint8Array, der: Uint8Array, signature: Uint8Array): boolean {
  const key = publicKeyOf(der);
  const kind = key && KINDS.get(kindOf(key));
  if (key === undefined || kind?.size !== der.length) return false;
  return verify(kind.hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** Undefined for bytes that are no key, and for a key with trailing bytes. */
function publicKeyOf(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return key.export({ format: 'der', type: 'spki' }).equals(der) ? key : undefined;
  } catch {
    return undefined;
  }
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  const kind = asymmetricKeyType ?? 'secret';
  return kind === 'ec' ? (asymmetricKeyDetails?.namedCurve ?? kind) : kind;
}
