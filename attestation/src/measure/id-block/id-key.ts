/**
 * Keys and signatures of ID blocks, as the secure processor reads them.
 *
 * SEV-SNP firmware ABI, chapter "ECDSA": curve number, then coordinates of 72 bytes, little-endian.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { AttestationError } from '../../errors.ts';
import { ownedBytes } from '../../owned-bytes.ts';
import { P384_ORDER } from '../../p384-order.ts';
import { sha384 } from '../launch-digest.ts';
import { refuseIdBlock } from './id-block-refusal.ts';

/** Bytes of a public key. */
export const ID_KEY_SIZE = 0x404;
/** Bytes of a signature. */
export const ID_SIGNATURE_SIZE = 0x200;

/** CURVE of P-384. */
const P384 = 2;
/** Significant bytes of a number on P-384, and the room that it has. */
const NUMBER = 48;
const ROOM = 72;

/**
 * ID_KEY_DIGEST or AUTHOR_KEY_DIGEST of a report that this key stands behind: SHA-384 over its
 * 0x404 bytes, 48 bytes.
 *
 * @throws TypeError the key is not on P-384
 */
export function idKeyDigest(key: KeyObject): Uint8Array {
  return sha384(encodeIdKey(key));
}

/**
 * The 0x404 bytes of a public key, or of the public half of a private one.
 *
 * @throws TypeError the key is not on P-384
 */
export function encodeIdKey(key: KeyObject): Uint8Array {
  requireP384(key);
  const { x, y } = key.export({ format: 'jwk' });
  const bytes = new Uint8Array(ID_KEY_SIZE);
  new DataView(bytes.buffer).setUint32(0, P384, true);
  bytes.set(base64Url(String(x)).reverse(), 4);
  bytes.set(base64Url(String(y)).reverse(), 4 + ROOM);
  return bytes;
}

/**
 * The public key of 0x404 bytes.
 *
 * @throws AttestationError `id-block-malformed`: another length or curve, padding that is not zero,
 *   a point off the curve
 */
export function parseIdKey(input: Uint8Array): KeyObject {
  const bytes = ownedBytes(input, 'a key');
  if (bytes.length !== ID_KEY_SIZE) refuseIdBlock('a key', '0x404 bytes', `${bytes.length}`);
  const curve = viewOf(bytes).getUint32(0, true);
  if (curve !== P384) refuseIdBlock('a key', 'P-384 (curve 2)', `curve ${curve}`);
  const [x, y] = readNumbers(bytes.subarray(4), 'a key');
  try {
    return createPublicKey({
      format: 'jwk',
      key: { kty: 'EC', crv: 'P-384', x: toBase64Url(x), y: toBase64Url(y) },
    });
  } catch (cause) {
    throw new AttestationError('id-block-malformed', 'Cannot read a key: not a point on P-384', {
      cause,
    });
  }
}

/** The 0x200 bytes of a signature: R and S big-endian, 96 bytes, as node:crypto's ieee-p1363. */
export function encodeIdSignature(input: Uint8Array): Uint8Array {
  const signature = ownedBytes(input, 'a signature');
  const bytes = new Uint8Array(ID_SIGNATURE_SIZE);
  bytes.set(signature.slice(0, NUMBER).reverse(), 0);
  bytes.set(signature.slice(NUMBER).reverse(), ROOM);
  return bytes;
}

/**
 * R and S, big-endian, 96 bytes.
 *
 * @throws AttestationError `id-block-malformed`: another length, padding that is not zero, a number
 *   out of the curve's range
 */
export function parseIdSignature(input: Uint8Array): Uint8Array {
  const bytes = ownedBytes(input, 'a signature');
  if (bytes.length !== ID_SIGNATURE_SIZE)
    refuseIdBlock('a signature', '0x200 bytes', `${bytes.length}`);
  const numbers = readNumbers(bytes, 'a signature');
  for (const number of numbers) {
    const value = BigInt(`0x${Buffer.from(number).toString('hex')}`);
    if (value === 0n || value >= P384_ORDER)
      refuseIdBlock('a signature', 'R and S in the range of P-384', 'another number');
  }
  return new Uint8Array(Buffer.concat(numbers));
}

/** @throws TypeError the key is not on P-384 */
export function requireP384(key: KeyObject): void {
  if (key.asymmetricKeyDetails?.namedCurve !== 'secp384r1') {
    throw new TypeError('an ID block takes keys on P-384 alone');
  }
}

/** Two numbers at the start, big-endian; everything behind their 48 bytes must be zero. */
function readNumbers(bytes: Uint8Array, what: string): readonly [Uint8Array, Uint8Array] {
  const first = bytes.subarray(0, NUMBER);
  const second = bytes.subarray(ROOM, ROOM + NUMBER);
  const padding = [bytes.subarray(NUMBER, ROOM), bytes.subarray(ROOM + NUMBER)];
  if (padding.some((part) => part.some((byte) => byte !== 0))) {
    refuseIdBlock(what, 'zeros behind its numbers', 'other bytes');
  }
  return [first.slice().reverse(), second.slice().reverse()];
}

function base64Url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
