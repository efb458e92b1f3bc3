import {
  constants,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatKdf, encryptResource, type Jwe, publicKeyOf, type TeeKey } from './jwe.ts';

const bytes = (text: string) => Buffer.from(text, 'base64url');

/** As Trustee's clients do it: the additional data is made of the parsed header. */
function decrypt(jwe: Jwe, privateKey: KeyObject): string {
  const { alg, enc, ...others } = JSON.parse(bytes(jwe.protected).toString());
  const sorted = Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)));
  const header = JSON.stringify({ alg, enc, ...sorted });
  const key = contentKey(jwe, alg, others['epk'], privateKey);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes(jwe.iv), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(Buffer.from(header).toString('base64url')));
  decipher.setAuthTag(bytes(jwe.tag));
  return Buffer.concat([decipher.update(bytes(jwe.ciphertext)), decipher.final()]).toString();
}

function contentKey(jwe: Jwe, alg: string, epk: object, privateKey: KeyObject): Buffer {
  const wrapped = bytes(jwe.encrypted_key);
  if (alg === 'RSA-OAEP-256') {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256' }, wrapped);
  }
  const publicKey = createPublicKey({ key: { ...epk }, format: 'jwk' });
  const kek = concatKdf(diffieHellman({ privateKey, publicKey }), alg);
  const unwrap = createDecipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6));
  return Buffer.concat([unwrap.update(wrapped), unwrap.final()]);
}

function ecKey(crv: 'P-256' | 'P-521'): { jwk: TeeKey; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: crv });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return { jwk: { kty: 'EC', crv, alg: 'ECDH-ES+A256KW', x, y }, privateKey };
}

function rsaKey(modulusLength = 2048, publicExponent = 65_537) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength, publicExponent });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  return { jwk: { kty: 'RSA', alg: 'RSA-OAEP-256', n, e } as const, privateKey };
}

describe('a resource for a guest', () => {
  it.each([
    ['P-256', () => ecKey('P-256')],
    ['P-521', () => ecKey('P-521')],
    ['RSA', rsaKey],
  ])('decrypts a resource with the %s key of its guest, as Trustee does', (_, make) => {
    const { jwk, privateKey } = make();
    const jwe = encryptResource(Buffer.from('hunter2'), jwk, 'default/a/b/c');
    expect(decrypt(jwe, privateKey)).toBe('hunter2');
    expect(Object.keys(jwe)).toEqual(['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag']);
  });

  it('writes the header of a resource without spaces, and in the order of names', () => {
    const { jwk } = ecKey('P-256');
    const jwe = encryptResource(Buffer.from('x'), jwk, 'default/a/b/c');
    expect(bytes(jwe.protected).toString()).toMatch(
      /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC","x":"[\w-]{43}","y":"[\w-]{43}"\},"resource":"default\/a\/b\/c"\}$/,
    );
    const key = encryptResource(Buffer.from('x'), jwk, 'default/a/b/c', 'volume-key');
    expect(bytes(key.protected).toString()).toMatch(
      /"\},"kind":"volume-key","resource":"default\/a\/b\/c"\}$/,
    );
  });

  it('does not decrypt a resource under the name of another one, nor with another key', () => {
    const { jwk, privateKey } = ecKey('P-256');
    const jwe = encryptResource(Buffer.from('hunter2'), jwk, 'default/a/b/c');
    const header = bytes(jwe.protected).toString().replace('a/b/c', 'a/b/d');
    const moved = { ...jwe, protected: Buffer.from(header).toString('base64url') };
    expect(() => decrypt(moved, privateKey)).toThrow();
    expect(() => decrypt(jwe, ecKey('P-256').privateKey)).toThrow();
  });

  it('takes no point that is not on the curve, and no weak RSA key, as the key of a guest', () => {
    const { jwk } = ecKey('P-256');
    if (jwk.kty !== 'EC') throw new Error('it is one');
    expect(publicKeyOf({ ...jwk, y: jwk.x })).toBeUndefined();
    expect(publicKeyOf({ ...jwk, crv: 'P-521' })).toBeUndefined();
    expect(publicKeyOf(rsaKey(1024).jwk)).toBeUndefined();
    expect(publicKeyOf(rsaKey(2048, 3).jwk)).toBeUndefined();
  });

  it('takes no RSA key with an even modulus, which encrypts nothing', () => {
    const { jwk } = rsaKey(2048);
    if (jwk.kty !== 'RSA') throw new Error('it is one');
    expect(publicKeyOf(jwk)).toBeDefined();
    const modulus = bytes(jwk.n);
    modulus.writeUInt8((modulus.at(-1) ?? 0) & 0xfe, modulus.length - 1);
    expect(publicKeyOf({ ...jwk, n: modulus.toString('base64url') })).toBeUndefined();
  });
});

it('derives keys as RFC 7518 does', () => {
  // Of appendix C: the derivation differs from that of the example in algorithm and parties alone.
  const shared = Buffer.from(
    '9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4',
    'hex',
  );
  const info = Buffer.concat([
    Buffer.from([0, 0, 0, 14]),
    Buffer.from('ECDH-ES+A256KW'),
    Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
  ]);
  const expected = createHash('sha256')
    .update(Buffer.from([0, 0, 0, 1]))
    .update(shared)
    .update(info);
  expect(concatKdf(shared, 'ECDH-ES+A256KW')).toEqual(expected.digest());
});
