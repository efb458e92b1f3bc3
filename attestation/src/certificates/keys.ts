/**
 * The two kinds of public key: RSA of 4096 bits for authorities, P-384 for endorsement keys.
 *
 * @module
 */
import { sameBytes } from '../der/bytes.ts';
import { DerError } from '../der/error.ts';
import { readBits, readUnsigned } from '../der/primitives.ts';
import { DerReader } from '../der/reader.ts';
import { Tag } from '../der/tags.ts';
import { bitString, integer, oid, sequence, value } from '../der/writer.ts';
import { toHex } from '../hex.ts';

/** An RSA key of 4096 bits with exponent 65537. */
export interface RsaPublicKey {
  /** Big-endian, 512 bytes; the high bit of the first is set. */
  readonly modulus: Uint8Array;
}

/** A point of P-384. */
export interface EcPublicKey {
  /** 04, x, y: 97 bytes. */
  readonly point: Uint8Array;
}

const RSA_ENCRYPTION = sequence(oid('1.2.840.113549.1.1.1'), value(Tag.NULL));
const EC_P384 = sequence(oid('1.2.840.10045.2.1'), oid('1.3.132.0.34'));
const RSA_OCTETS = 512;
const EXPONENT = '010001';
const COORDINATE_OCTETS = 48;
const POINT_OCTETS = 1 + 2 * COORDINATE_OCTETS;

/** The field's prime and the curve's b, from FIPS 186-4, D.1.2.4; its a is -3. */
const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const B = BigInt(
  '0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
);

/**
 * From SubjectPublicKeyInfo.
 *
 * @throws {DerError} unless it is rsaEncryption, 4096 bits, exponent 65537.
 */
export function parseRsaPublicKey(spki: Uint8Array): RsaPublicKey {
  const key = new DerReader(readSubjectPublicKey(spki, RSA_ENCRYPTION, 'rsaEncryption'));
  const fields = key.enter();
  key.end();
  const modulus = readUnsigned(fields, RSA_OCTETS);
  const exponent = toHex(readUnsigned(fields, 4));
  fields.end();
  const [first = 0] = modulus;
  if (modulus.length !== RSA_OCTETS || first < 0x80) {
    throw new DerError('an RSA modulus of 4096 bits', `${modulus.length} octets`);
  }
  if (exponent !== EXPONENT) throw new DerError('the RSA exponent 65537', `0x${exponent}`);
  return { modulus };
}

/**
 * From SubjectPublicKeyInfo.
 *
 * @throws {DerError} unless it is an uncompressed point that is on P-384, named.
 */
export function parseEcPublicKey(spki: Uint8Array): EcPublicKey {
  const point = readSubjectPublicKey(spki, EC_P384, 'id-ecPublicKey of secp384r1');
  if (point.length !== POINT_OCTETS || point[0] !== 0x04) {
    throw new DerError(
      `an uncompressed point of ${POINT_OCTETS} octets`,
      `${point.length} octets that begin with ${toHex(point.subarray(0, 1))}`,
    );
  }
  const x = coordinate(point.subarray(1, 1 + COORDINATE_OCTETS));
  const y = coordinate(point.subarray(1 + COORDINATE_OCTETS));
  if (x >= P || y >= P || (y * y - (x * x - 3n) * x - B) % P !== 0n) {
    throw new DerError('a point of P-384', 'a point beside the curve');
  }
  return { point };
}

/** SubjectPublicKeyInfo of an RSA key, as crypto libraries import it. */
export function rsaSubjectPublicKeyInfo({ modulus }: RsaPublicKey): Uint8Array {
  const key = sequence(integer(modulus), integer(0x010001));
  return sequence(RSA_ENCRYPTION, bitString(key));
}

/** SubjectPublicKeyInfo of a point of P-384, as crypto libraries import it. */
export function ecSubjectPublicKeyInfo({ point }: EcPublicKey): Uint8Array {
  return sequence(EC_P384, bitString(point));
}

function readSubjectPublicKey(spki: Uint8Array, algorithm: Uint8Array, name: string): Uint8Array {
  const outer = new DerReader(spki);
  const fields = outer.enter();
  outer.end();
  const found = fields.take(Tag.SEQUENCE).encoded;
  if (!sameBytes(found, algorithm)) throw new DerError(name, toHex(found.subarray(0, 32)));
  const key = readBits(fields);
  fields.end();
  return key;
}

function coordinate(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}
