import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ecSubjectPublicKeyInfo } from '../../certificates/keys.ts';
import { deriveP384Key, signReport } from './p384.ts';

const SECRET = new Uint8Array(32).fill(1);
const purpose = (text: string) => new TextEncoder().encode(text);

function publicKey(point: Uint8Array) {
  const spki = Buffer.from(ecSubjectPublicKeyInfo({ point }));
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}

describe('deriveP384Key', () => {
  it('derives the same P-384 key from the same secret and purpose', () => {
    const one = deriveP384Key(SECRET, purpose('a'));
    const other = deriveP384Key(Uint8Array.from(SECRET), purpose('a'));
    expect(other.publicPoint).toEqual(one.publicPoint);
    expect(other.privateKey.equals(one.privateKey)).toBe(true);
  });

  it('derives another P-384 key from another secret or purpose', () => {
    const points = [
      deriveP384Key(SECRET, purpose('a')),
      deriveP384Key(SECRET, purpose('b')),
      deriveP384Key(new Uint8Array(32).fill(2), purpose('a')),
    ].map((key) => Buffer.from(key.publicPoint).toString('hex'));
    expect(new Set(points).size).toBe(3);
  });

  it('derives a point of 97 bytes that belongs to the private key', () => {
    const { privateKey, publicPoint } = deriveP384Key(SECRET, purpose('a'));
    expect(publicPoint).toHaveLength(97);
    expect(createPublicKey(privateKey).equals(publicKey(publicPoint))).toBe(true);
  });
});

describe('signReport', () => {
  it('writes R and S of a signature little-endian in 72 bytes each, followed by zeros', () => {
    const { privateKey, publicPoint } = deriveP384Key(SECRET, purpose('a'));
    const body = purpose('report');
    const signature = signReport(body, privateKey);
    expect(signature).toHaveLength(512);
    const number = (offset: number) => signature.slice(offset, offset + 48).reverse();
    const p1363 = Buffer.concat([number(0), number(72)]);
    const key = publicKey(publicPoint);
    expect(verify('sha384', body, { key, dsaEncoding: 'ieee-p1363' }, p1363)).toBe(true);
    expect([...signature.subarray(48, 72), ...signature.subarray(120)].every((b) => b === 0)).toBe(
      true,
    );
  });
});
