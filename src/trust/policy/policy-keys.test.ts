import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPolicyKey } from './policy-keys.ts';

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const P256 = ec('P-256');

describe('readPolicyKey', () => {
  it.each([
    ['ECDSA on P-256', P256],
    ['ECDSA on P-384', ec('P-384')],
    ['ECDSA on P-521', ec('P-521')],
    ['RSA of 2048 bits', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ])('reads a policy key: %s', (_, { publicKey }) => {
    const key = readPolicyKey('a.pub', `\n${pem(publicKey)}\r\n`);
    expect(key.name).toBe('a.pub');
    expect(key.keyId).toMatch(/^[0-9a-f]{64}$/);
    expect(key.key.equals(publicKey)).toBe(true);
  });

  it('computes the same id for a key with a compressed point', () => {
    const { x = '', y = '' } = P256.publicKey.export({ format: 'jwk' });
    const sign = (Buffer.from(y, 'base64url').at(-1) ?? 0) % 2 === 0 ? 2 : 3;
    const head = '3039301306072a8648ce3d020106082a8648ce3d030107032200';
    const der = Buffer.concat([
      Buffer.from(head, 'hex'),
      Buffer.from([sign]),
      Buffer.from(x, 'base64url'),
    ]);
    const text = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`;
    expect(readPolicyKey('a', text).keyId).toBe(readPolicyKey('b', pem(P256.publicKey)).keyId);
  });

  it.each<[string, string, string]>([
    [
      'a private key',
      P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'it has a private key',
    ],
    [
      'a private key beside a public one',
      pem(P256.publicKey) + P256.privateKey.export({ type: 'sec1', format: 'pem' }),
      'it has a private key',
    ],
    [
      "cosign's private key",
      '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nabc\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n',
      'it has a private key',
    ],
    ['two keys', pem(P256.publicKey).repeat(2), 'it has 2 PEM blocks'],
    [
      'PKCS #1',
      generateKeyPairSync('rsa', { modulusLength: 2048 })
        .publicKey.export({ type: 'pkcs1', format: 'pem' })
        .toString(),
      'it is no public key in PEM',
    ],
    [
      'a certificate',
      '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n',
      'it is a certificate',
    ],
    ['nothing', '', 'it is no public key in PEM'],
    ['more text', `${pem(P256.publicKey)}and more`, 'it is no public key in PEM'],
    [
      'garbage',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      'what is between its PEM lines is no public key',
    ],
    [
      'a short RSA key',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      'it is an RSA key of 1024 bits',
    ],
    [
      'an RSA key with the exponent 1',
      pem(
        createPublicKey({
          key: { kty: 'RSA', n: Buffer.alloc(256, 0xff).toString('base64url'), e: 'AQ' },
          format: 'jwk',
        }),
      ),
      'its public exponent is 1',
    ],
    ['another curve', pem(ec('secp256k1').publicKey), 'it is of the kind secp256k1'],
    ['another kind', pem(generateKeyPairSync('x25519').publicKey), 'it is of the kind x25519'],
  ])('refuses a policy key: %s', (_, text, message) => {
    expect(() => readPolicyKey('a.pub', text)).toThrow(message);
  });

  it(
    'refuses a damaged key without repeating it',
    () => {
      const good = pem(P256.publicKey);
      const at = fc.nat({ max: good.length - 1 });
      fuzz(
        fc.property(at, at, fc.string({ maxLength: 8 }), (from, to, text) => {
          const damaged = good.slice(0, from) + text + good.slice(to);
          try {
            readPolicyKey('a.pub', damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
            expect(Object(error).message).toMatch(/^(it |what is )/);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
