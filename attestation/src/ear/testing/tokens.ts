/**
 * Keys, results and tokens for tests, good and hostile.
 *
 * @module
 */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { encodeCbor } from '../cbor-writer.ts';
import { TaggedItem, type Tree } from '../claim-value.ts';
import type { Ear } from '../ear.ts';
import { ALGORITHMS, type EarAlgorithm } from '../signatures.ts';
import type { VerifyEarOptions } from '../verify-ear.ts';

export interface TestKey {
  readonly algorithm: EarAlgorithm;
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

function testKey(algorithm: EarAlgorithm): TestKey {
  const { privateKey, publicKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: algorithm === 'ES256' ? 'P-256' : 'P-384' });
  return {
    algorithm,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
    privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
  };
}

export const KEYS: Readonly<Record<EarAlgorithm, TestKey>> = {
  ES256: testKey('ES256'),
  ES384: testKey('ES384'),
  EdDSA: testKey('EdDSA'),
};

export const NOW = new Date('2026-06-12T12:00:00Z');
export const NONCE = new Uint8Array(32).fill(7);

export const EAR: Ear = {
  profile: 'ietf-03',
  issuedAt: NOW,
  verifier: { developer: 'https://example.com', build: 'tests 1' },
  nonce: NONCE,
  submods: new Map([
    [
      'sev-snp',
      { status: 'affirming', vector: { hardware: 2, executables: 3 }, policyIds: ['policy 1'] },
    ],
  ]),
};

export function options(given: Partial<VerifyEarOptions> = {}): VerifyEarOptions {
  return { keys: [KEYS.ES256], nonce: NONCE, now: NOW, maxAgeSeconds: 60, ...given };
}

function signature({ algorithm, privateKey }: TestKey, bytes: Uint8Array): Uint8Array {
  const der = Buffer.from(privateKey);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { hash } = { hash: undefined, ...ALGORITHMS[algorithm].signature };
  return sign(hash?.replace('-', '').toLowerCase() ?? null, bytes, {
    key,
    dsaEncoding: 'ieee-p1363',
  });
}

const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** A JWT over any two texts, with a good signature. */
export function jwtOf(header: string, payload: string | Uint8Array, key = KEYS.ES256): string {
  const text = `${base64url(header)}.${base64url(payload)}`;
  return `${text}.${base64url(signature(key, Buffer.from(text)))}`;
}

/** A CWT over any header and payload, with a good signature. */
export function cwtOf(
  header: Uint8Array,
  payload: Uint8Array,
  unprotected: ReadonlyMap<number, Tree> = new Map(),
): Uint8Array {
  const signed = encodeCbor(['Signature1', header, new Uint8Array(), payload]);
  const parts = [header, unprotected, payload, signature(KEYS.ES256, signed)];
  return encodeCbor(new TaggedItem(18, parts));
}
