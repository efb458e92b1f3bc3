/**
 * ID authentication information: the signer of an ID block, and the author who vouches for that
 * key.
 *
 * SEV-SNP firmware ABI, "ID Authentication Information Structure".
 *
 * @module
 */
import { ownedBytes } from '../../owned-bytes.ts';
import { PAGE_SIZE } from '../launch-digest.ts';
import { refuseIdBlock } from './id-block-refusal.ts';
import { ID_KEY_SIZE, ID_SIGNATURE_SIZE, parseIdKey, parseIdSignature } from './id-key.ts';

/** Bytes of the structure. */
export const ID_AUTH_SIZE = PAGE_SIZE;

/** The signatures over an ID block and over the key that made it, with their keys. */
export interface IdAuth {
  /** Signature over the ID block, 0x200 bytes. */
  readonly idSignature: Uint8Array;
  /** Key that made it, 0x404 bytes. */
  readonly idKey: Uint8Array;
  /** The key that signed the ID key's 0x404 bytes; absent where none did. */
  readonly author?: { readonly key: Uint8Array; readonly signature: Uint8Array } | undefined;
}

/** ECDSA on P-384 with SHA-384; 0 stands for no author. */
const ECDSA_P384 = 1;

const WHAT = 'ID authentication information';

const ID_SIGNATURE = 0x40;
const ID_KEY = 0x240;
const AUTHOR_SIGNATURE = 0x680;
const AUTHOR_KEY = 0x880;

/** Bytes that must be zero. */
const RESERVED = [
  [0x08, ID_SIGNATURE],
  [ID_KEY + ID_KEY_SIZE, AUTHOR_SIGNATURE],
  [AUTHOR_KEY + ID_KEY_SIZE, ID_AUTH_SIZE],
] as const;

/** @throws AttestationError `id-block-malformed`: a key or signature that is not as documented */
export function encodeIdAuth(auth: IdAuth): Uint8Array {
  checkPair(auth.idKey, auth.idSignature);
  const bytes = new Uint8Array(ID_AUTH_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ECDSA_P384, true);
  bytes.set(auth.idSignature, ID_SIGNATURE);
  bytes.set(auth.idKey, ID_KEY);
  if (auth.author !== undefined) {
    checkPair(auth.author.key, auth.author.signature);
    view.setUint32(4, ECDSA_P384, true);
    bytes.set(auth.author.signature, AUTHOR_SIGNATURE);
    bytes.set(auth.author.key, AUTHOR_KEY);
  }
  return bytes;
}

/** @throws AttestationError `id-block-malformed` */
export function parseIdAuth(input: Uint8Array): IdAuth {
  const bytes = ownedBytes(input, 'an ID authentication');
  if (bytes.length !== ID_AUTH_SIZE)
    refuseIdBlock(WHAT, `${ID_AUTH_SIZE} bytes`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const idAlgorithm = view.getUint32(0, true);
  const authorAlgorithm = view.getUint32(4, true);
  if (idAlgorithm !== ECDSA_P384) refuseIdBlock(WHAT, 'an ID key of algorithm 1', `${idAlgorithm}`);
  if (authorAlgorithm > ECDSA_P384)
    refuseIdBlock(WHAT, 'an author key of algorithm 1', `${authorAlgorithm}`);
  if (RESERVED.some(([start, end]) => !isZero(bytes.subarray(start, end)))) {
    refuseIdBlock(WHAT, 'zeros in reserved fields', 'other bytes');
  }
  const idSignature = bytes.slice(ID_SIGNATURE, ID_SIGNATURE + ID_SIGNATURE_SIZE);
  const idKey = bytes.slice(ID_KEY, ID_KEY + ID_KEY_SIZE);
  checkPair(idKey, idSignature);
  if (authorAlgorithm === 0) {
    if (!isZero(bytes.subarray(AUTHOR_SIGNATURE)))
      refuseIdBlock(WHAT, 'zeros without an author', 'other bytes');
    return { idSignature, idKey };
  }
  const signature = bytes.slice(AUTHOR_SIGNATURE, AUTHOR_SIGNATURE + ID_SIGNATURE_SIZE);
  const key = bytes.slice(AUTHOR_KEY, AUTHOR_KEY + ID_KEY_SIZE);
  checkPair(key, signature);
  return { idSignature, idKey, author: { key, signature } };
}

function checkPair(key: Uint8Array, signature: Uint8Array): void {
  parseIdKey(key);
  parseIdSignature(signature);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
