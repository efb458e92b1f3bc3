import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import { sha384 } from '../launch-digest.ts';
import {
  encodeIdKey,
  encodeIdSignature,
  ID_KEY_SIZE,
  idKeyDigest,
  parseIdKey,
  parseIdSignature,
} from './id-key.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ENCODED = encodeIdKey(publicKey);
/** A public key from the tests of virtee/sev (Apache-2.0). */
const ID_KEY_PEM = [
  'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9nY+TSYJzxss8i8syLjKTPVdRww8I1Us',
  'k7Foh0OQ3ZXLP97oR933n/Ke+7iAPG0fzNeo0Ee5zcHHULEZCr5tHa03qN7LFDJ7',
  'dmYZ9xJgfP0NOIU8UNqbzQgLNTick74+',
];

const MALFORMED = expect.objectContaining({ code: 'id-block-malformed' });

describe('ID keys', () => {
  it('encodes an ID key as curve 2 and two little-endian numbers', () => {
    expect(ENCODED).toHaveLength(ID_KEY_SIZE);
    expect([...ENCODED.subarray(0, 4)]).toEqual([2, 0, 0, 0]);
    const { x } = publicKey.export({ format: 'jwk' });
    const number = Buffer.from(ENCODED.subarray(4, 52)).reverse();
    expect(number.toString('base64url')).toBe(x);
  });

  it('parses an ID key back from its bytes', () => {
    const parsed = parseIdKey(ENCODED);
    expect(parsed.export({ format: 'jwk' })).toEqual(publicKey.export({ format: 'jwk' }));
  });

  it('derives the ID key and its digest from a private key as from its public key', () => {
    expect(encodeIdKey(privateKey)).toEqual(ENCODED);
    expect(idKeyDigest(privateKey)).toEqual(sha384(ENCODED));
  });

  it('computes the digest of an ID key that reports carry', () => {
    const pem = ['-----BEGIN PUBLIC KEY-----', ...ID_KEY_PEM, '-----END PUBLIC KEY-----'].join(
      '\n',
    );
    expect(toHex(idKeyDigest(createPublicKey(pem)))).toBe(
      '59fb2c686dfa4fef49f38339aa775c90051c28d57383ddc3baf3b5eb4b1496df3b0dbbdcbae5fe27677a644820773fe2',
    );
  });

  it('refuses an ID key on another curve than P-384', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() => encodeIdKey(other.publicKey)).toThrow(TypeError);
    expect(() => idKeyDigest(generateKeyPairSync('ed25519').publicKey)).toThrow(TypeError);
  });

  it.each<[string, Uint8Array]>([
    ['another length', ENCODED.subarray(1)],
    ['another curve', ENCODED.with(0, 1)],
    ['bytes behind X', ENCODED.with(4 + 48, 1)],
    ['bytes behind Y', ENCODED.with(4 + 72 + 48, 1)],
    ['bytes at the end', ENCODED.with(ID_KEY_SIZE - 1, 1)],
    ['a point off the curve', ENCODED.with(4, Number(ENCODED[4]) ^ 1)],
    ['the point at infinity', new Uint8Array(ID_KEY_SIZE).with(0, 2)],
  ])('refuses an ID key with %s', (_, key) => {
    expect(() => parseIdKey(key)).toThrow(MALFORMED);
  });
});

describe('a refusal', () => {
  it('reports what was read, expected and found in a malformed ID key', () => {
    expect(() => parseIdKey(ENCODED.subarray(1))).toThrow(
      expect.objectContaining({
        message: 'Cannot read a key: expected 0x404 bytes',
        expected: '0x404 bytes',
        found: '1027',
      }),
    );
    expect(() => parseIdKey(ENCODED.with(0, 1))).toThrow(
      expect.objectContaining({ expected: 'P-384 (curve 2)', found: 'curve 1' }),
    );
  });
});

describe('signatures of ID blocks', () => {
  const numbers = Uint8Array.from({ length: 96 }, (_, index) => index + 1);
  const encoded = encodeIdSignature(numbers);
  const order = Buffer.from(
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    'hex',
  );

  it('encodes the signature of an ID block as two little-endian numbers', () => {
    expect(encoded).toHaveLength(512);
    expect([encoded[0], encoded[47], encoded[72]]).toEqual([48, 1, 96]);
    expect(parseIdSignature(encoded)).toEqual(numbers);
  });

  it.each<[string, Uint8Array]>([
    ['another length', encoded.subarray(1)],
    ['bytes behind R', encoded.with(48, 1)],
    ['bytes behind S', encoded.with(72 + 48, 1)],
    ['bytes at the end', encoded.with(511, 1)],
    ['R of zero', encodeIdSignature(numbers.map((byte, index) => (index < 48 ? 0 : byte)))],
    ['S of zero', encodeIdSignature(numbers.map((byte, index) => (index < 48 ? byte : 0)))],
    ['R of the order', encodeIdSignature(Uint8Array.from([...order, ...numbers.subarray(48)]))],
  ])('refuses the signature of an ID block with %s', (_, signature) => {
    expect(() => parseIdSignature(signature)).toThrow(MALFORMED);
  });
});
