import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat } from '../der/bytes.ts';
import { DerError } from '../der/error.ts';
import { Tag } from '../der/tags.ts';
import { bitString, integer, oid, sequence, value } from '../der/writer.ts';
import {
  ecSubjectPublicKeyInfo,
  parseEcPublicKey,
  parseRsaPublicKey,
  rsaSubjectPublicKeyInfo,
} from './keys.ts';
import { MODULUS, POINT } from './testing/samples.ts';

const RSA = sequence(oid('1.2.840.113549.1.1.1'), value(Tag.NULL));
const P384 = sequence(oid('1.2.840.10045.2.1'), oid('1.3.132.0.34'));
const ZERO = Uint8Array.of(0);

function rsa(...fields: Uint8Array[]): Uint8Array {
  return sequence(RSA, bitString(sequence(...fields)));
}

describe('RSA keys', () => {
  it('reads an RSA key as node:crypto exports it', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const key = parseRsaPublicKey(spki);
    expect(Buffer.from(key.modulus).toString('base64url')).toBe(
      publicKey.export({ format: 'jwk' }).n,
    );
    expect(Buffer.from(rsaSubjectPublicKeyInfo(key))).toEqual(spki);
  });

  it.each<[string, Uint8Array, string]>([
    ['2048 bits', rsa(integer(MODULUS.subarray(256)), integer(65_537)), 'of 4096 bits'],
    [
      '4095 bits',
      rsa(integer(MODULUS.map((byte, index) => (index === 0 ? 0x7f : byte))), integer(65_537)),
      'of 4096 bits',
    ],
    ['4104 bits', rsa(integer(concat([MODULUS, ZERO])), integer(65_537)), 'at most 512 octets'],
    [
      'the exponent 3',
      rsa(integer(MODULUS), integer(3)),
      'expected the RSA exponent 65537, found 0x03',
    ],
    ['a third number', rsa(integer(MODULUS), integer(65_537), integer(1)), 'trailing octets'],
    ['another algorithm', sequence(P384, bitString(POINT)), 'expected rsaEncryption'],
    [
      'something behind it',
      concat([rsa(integer(MODULUS), integer(65_537)), ZERO]),
      'trailing octets',
    ],
    [
      'something behind the numbers',
      sequence(RSA, bitString(concat([sequence(integer(MODULUS), integer(65_537)), ZERO]))),
      'trailing octets',
    ],
    [
      'something behind the bits',
      sequence(RSA, bitString(sequence(integer(MODULUS), integer(65_537))), ZERO),
      'trailing octets',
    ],
  ])('refuses an RSA key: %s', (_, spki, message) => {
    expect(() => parseRsaPublicKey(spki)).toThrow(DerError);
    expect(() => parseRsaPublicKey(spki)).toThrow(message);
  });
});

describe('keys on P-384', () => {
  it('reads a P-384 key as node:crypto exports it', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const key = parseEcPublicKey(spki);
    expect(key.point).toHaveLength(97);
    const encoded = Buffer.from(ecSubjectPublicKeyInfo(key));
    expect(encoded).toEqual(spki);
    expect(createPublicKey({ key: encoded, format: 'der', type: 'spki' }).equals(publicKey)).toBe(
      true,
    );
  });

  it.each<[string, Uint8Array, string]>([
    ['compressed', Uint8Array.of(2, ...POINT.subarray(1, 49)), '49 octets that begin with 02'],
    ['hybrid', Uint8Array.of(6, ...POINT.subarray(1)), '97 octets that begin with 06'],
    ['cut', POINT.subarray(0, 96), '96 octets that begin with 04'],
    ['absent', new Uint8Array(), '0 octets'],
    ['beside the curve', POINT.map((byte, index) => (index === 96 ? byte ^ 1 : byte)), 'beside'],
    [
      'with x above the prime',
      POINT.map((byte, index) => (index > 0 && index < 49 ? 0xff : byte)),
      'beside',
    ],
    ['with y above the prime', POINT.map((byte, index) => (index > 48 ? 0xff : byte)), 'beside'],
    ['at infinity', new Uint8Array(1), '1 octets that begin with 00'],
  ])('refuses a P-384 key whose point is %s', (_, point, message) => {
    const parse = () => parseEcPublicKey(sequence(P384, bitString(point)));
    expect(parse).toThrow(DerError);
    expect(parse).toThrow(message);
  });

  it('refuses keys on other curves, and P-384 with explicit parameters', () => {
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const spelled = generateKeyPairSync('ec', {
      namedCurve: 'P-384',
      paramEncoding: 'explicit',
    }).publicKey;
    for (const key of [p256, spelled]) {
      const spki = key.export({ format: 'der', type: 'spki' });
      expect(() => parseEcPublicKey(spki)).toThrow('expected id-ecPublicKey of secp384r1');
    }
  });
});
