/**
 * Keys on P-384 that come out of a secret, as a processor's endorsement keys do: the same secret
 * and purpose, the same key.
 *
 * @module
 */
import { createECDH, createPrivateKey, hkdfSync, type KeyObject, sign } from 'node:crypto';
import { P384_ORDER } from '../../p384-order.ts';

const BYTES = 48;
/** 64 bits above the order, so that no scalar is likelier than another (FIPS 186-4, B.4.1). */
const SEED_BYTES = BYTES + 8;

/** A private key, and the point of its public key: 0x04, X, Y. */
export interface P384Key {
  readonly privateKey: KeyObject;
  readonly publicPoint: Uint8Array;
}

/** Derives the key of `purpose` from `secret` with HKDF-SHA-384. */
export function deriveP384Key(secret: Uint8Array, purpose: Uint8Array): P384Key {
  const seed = Buffer.from(hkdfSync('sha384', secret, '', purpose, SEED_BYTES)).toString('hex');
  const scalar = (BigInt(`0x${seed}`) % (P384_ORDER - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(BYTES * 2, '0'), 'hex');
  const ecdh = createECDH('secp384r1');
  ecdh.setPrivateKey(d);
  const publicPoint = ecdh.getPublicKey();
  const x = publicPoint.subarray(1, 1 + BYTES);
  const y = publicPoint.subarray(1 + BYTES);
  const privateKey = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-384',
      d: d.toString('base64url'),
      x: x.toString('base64url'),
      y: y.toString('base64url'),
    },
  });
  return { privateKey, publicPoint: new Uint8Array(publicPoint) };
}

/** ECDSA with SHA-384 as reports carry it: R and S little-endian in 72 bytes each, of 512. */
export function signReport(body: Uint8Array, key: KeyObject): Uint8Array {
  const signature = sign('sha384', body, { key, dsaEncoding: 'ieee-p1363' });
  const encoded = new Uint8Array(512);
  encoded.set(signature.subarray(0, BYTES).reverse(), 0);
  encoded.set(signature.subarray(BYTES).reverse(), 72);
  return encoded;
}
