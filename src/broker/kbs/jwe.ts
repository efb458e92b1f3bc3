/**
 * Encrypts a resource to the key of a guest: JWE in its flattened form (RFC 7516, 7518), as KBS has
 * it.
 *
 * Trustee's clients compute the additional data from the header after they have parsed it: `alg`,
 * `enc`, and the rest by name, without spaces. Any other order does not decrypt there.
 *
 * @module
 */
import {
  constants,
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';

/** The key of a guest, as it sends it. */
export type TeeKey =
  | {
      readonly kty: 'EC';
      readonly crv: 'P-256' | 'P-521';
      readonly alg: 'ECDH-ES+A256KW';
      readonly x: string;
      readonly y: string;
    }
  | {
      readonly kty: 'RSA';
      readonly alg: 'RSA-OAEP-256';
      readonly n: string;
      readonly e: string;
    };

export interface Jwe {
  readonly protected: string;
  readonly encrypted_key: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
}

const ENC = 'A256GCM';
const KEY_BYTES = 32;
const IV_BYTES = 12;
/** The initial value of RFC 3394. */
const WRAP_IV = Buffer.alloc(8, 0xa6);
const RSA_BITS = { min: 2048, max: 8192 };
const CURVES = { 'P-256': 'prime256v1', 'P-521': 'secp521r1' } as const;
/** What precedes X and Y in SubjectPublicKeyInfo, and how long each of them is. */
const SPKI = {
  'P-256': { head: '3059301306072a8648ce3d020106082a8648ce3d03010703420004', bytes: 32 },
  'P-521': { head: '30819b301006072a8648ce3d020106052b810400230381860004', bytes: 66 },
} as const;

/** Undefined for what is no key of its kind: a point that is not on the curve, a short modulus. */
export function publicKeyOf(jwk: TeeKey): KeyObject | undefined {
  let key: KeyObject;
  try {
    key = jwk.kty === 'EC' ? ecKey(jwk) : createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch {
    return undefined;
  }
  if (jwk.kty === 'EC') return key;
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  const fits = modulusLength >= RSA_BITS.min && modulusLength <= RSA_BITS.max;
  return fits && publicExponent === 65_537n && encrypts(key) ? key : undefined;
}

/**
 * As SubjectPublicKeyInfo, for which OpenSSL takes a fraction of the time. It refuses a point that
 * is not on the curve.
 */
function ecKey({ crv, x, y }: Extract<TeeKey, { kty: 'EC' }>): KeyObject {
  const { head, bytes } = SPKI[crv];
  const point = [x, y].map((text) => Buffer.from(text, 'base64url'));
  if (point.some(({ length }) => length !== bytes)) throw new RangeError(`${bytes} bytes each`);
  const key = Buffer.concat([Buffer.from(head, 'hex'), ...point]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

/** OpenSSL refuses some keys only when it uses them, such as one with an even modulus. */
function encrypts(key: KeyObject): boolean {
  try {
    wrapRsa(Buffer.alloc(KEY_BYTES), key);
    return true;
  } catch {
    return false;
  }
}

function wrapRsa(contentKey: Buffer, key: KeyObject): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key, padding, oaepHash: 'sha256' }, contentKey);
}

/** A resource that is no secret, in the header. */
type ResourceKind = 'volume-key';

/**
 * @param resource of the header, so that one ciphertext cannot stand for another
 * @param kind of the header; secrets have none, as in Trustee
 * @throws TypeError for a key that {@link publicKeyOf} does not take
 */
export function encryptResource(
  plain: Uint8Array,
  jwk: TeeKey,
  resource: string,
  kind?: ResourceKind,
): Jwe {
  const key = publicKeyOf(jwk);
  if (key === undefined) throw new TypeError('Cannot encrypt: the key is none.');
  const contentKey = randomBytes(KEY_BYTES);
  const { encryptedKey, epk } = wrap(contentKey, jwk, key);
  const header = {
    alg: jwk.alg,
    enc: ENC,
    ...(epk === undefined ? {} : { epk }),
    ...(kind === undefined ? {} : { kind }),
    resource,
  };
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', contentKey, iv, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(protectedHeader));
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  contentKey.fill(0);
  return {
    protected: protectedHeader,
    encrypted_key: encryptedKey.toString('base64url'),
    iv: iv.toString('base64url'),
    ciphertext: ciphertext.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
  };
}

interface Wrapped {
  readonly encryptedKey: Buffer;
  /** In the order of names. */
  readonly epk?: Readonly<Record<'crv' | 'kty' | 'x' | 'y', string>>;
}

function wrap(contentKey: Buffer, jwk: TeeKey, key: KeyObject): Wrapped {
  if (jwk.kty === 'RSA') {
    return { encryptedKey: wrapRsa(contentKey, key) };
  }
  const own = generateKeyPairSync('ec', { namedCurve: CURVES[jwk.crv] });
  const shared = diffieHellman({ privateKey: own.privateKey, publicKey: key });
  const kek = concatKdf(shared, jwk.alg);
  shared.fill(0);
  const cipher = createCipheriv('id-aes256-wrap', kek, WRAP_IV);
  const encryptedKey = Buffer.concat([cipher.update(contentKey), cipher.final()]);
  kek.fill(0);
  const { x = '', y = '' } = own.publicKey.export({ format: 'jwk' });
  return { encryptedKey, epk: { crv: jwk.crv, kty: 'EC', x, y } };
}

/** RFC 7518, 4.6.2, for 256 bits and parties without names: one round of SHA-256. */
export function concatKdf(shared: Uint8Array, algorithm: string): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  return createHash('sha256')
    .update(number(1))
    .update(shared)
    .update(number(algorithm.length))
    .update(algorithm)
    .update(number(0))
    .update(number(0))
    .update(number(KEY_BYTES * 8))
    .digest();
}
