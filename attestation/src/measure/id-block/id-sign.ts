/**
 * Signing ID blocks, and checking what was signed.
 *
 * @module
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import { AttestationError } from '../../errors.ts';
import { sha384 } from '../launch-digest.ts';
import { encodeIdAuth, parseIdAuth } from './id-auth.ts';
import { encodeIdBlock, type IdBlock, parseIdBlock } from './id-block.ts';
import {
  encodeIdKey,
  encodeIdSignature,
  parseIdKey,
  parseIdSignature,
  requireP384,
} from './id-key.ts';

/** The ID block to sign, and the keys. */
export interface IdBlockRequest {
  readonly idBlock: IdBlock;
  /** Private key on P-384. */
  readonly idKey: KeyObject;
  /** Private key on P-384 that vouches for the ID key; it can be kept offline. */
  readonly authorKey?: KeyObject | undefined;
}

/** What QEMU's `id-block`, `id-auth` and `author-key-enabled` take. */
export interface SignedIdBlock {
  /** 96 bytes. */
  readonly idBlock: Uint8Array;
  /** 4096 bytes. */
  readonly idAuth: Uint8Array;
  /** ID_KEY_DIGEST of reports, 48 bytes. */
  readonly idKeyDigest: Uint8Array;
  /** AUTHOR_KEY_DIGEST of reports, 48 bytes. */
  readonly authorKeyDigest?: Uint8Array;
}

/**
 * An ID block with good signatures, and the digests of its keys. A policy decides whether to trust
 * those keys.
 */
export interface VerifiedIdBlock {
  readonly idBlock: IdBlock;
  /** 48 bytes. */
  readonly idKeyDigest: Uint8Array;
  /** 48 bytes; absent where no author vouches for the ID key. */
  readonly authorKeyDigest?: Uint8Array;
}

/**
 * Signs an ID block, and the ID key with the author key where there is one.
 *
 * @throws TypeError a key that is not private or not on P-384
 * @throws RangeError a field of the ID block out of range
 */
export function signIdBlock(request: IdBlockRequest): SignedIdBlock {
  const { idKey, authorKey } = request;
  const idBlock = encodeIdBlock(request.idBlock);
  const id = { key: encodeIdKey(idKey), signature: signature(idBlock, idKey) };
  const parts = { idSignature: id.signature, idKey: id.key };
  const idKeyDigest = sha384(id.key);
  if (authorKey === undefined) return { idBlock, idAuth: encodeIdAuth(parts), idKeyDigest };
  const author = { key: encodeIdKey(authorKey), signature: signature(id.key, authorKey) };
  const idAuth = encodeIdAuth({ ...parts, author });
  return { idBlock, idAuth, idKeyDigest, authorKeyDigest: sha384(author.key) };
}

/**
 * Checks an ID block as the secure processor does at the end of a launch.
 *
 * Anybody can sign: compare the digests with those of keys that you trust.
 *
 * @param idBlock - 96 bytes
 * @param idAuth - 4096 bytes
 * @throws AttestationError `id-block-malformed`: bytes that are not such structures;
 *   `id-block-signature`: a signature that its key did not make
 */
export function verifyIdBlock(idBlock: Uint8Array, idAuth: Uint8Array): VerifiedIdBlock {
  const block = parseIdBlock(idBlock);
  const { idKey, idSignature, author } = parseIdAuth(idAuth);
  checkSignature(encodeIdBlock(block), idKey, idSignature, 'ID block');
  const verified = { idBlock: block, idKeyDigest: sha384(idKey) };
  if (author === undefined) return verified;
  checkSignature(idKey, author.key, author.signature, 'ID key');
  return { ...verified, authorKeyDigest: sha384(author.key) };
}

function signature(bytes: Uint8Array, key: KeyObject): Uint8Array {
  requireP384(key);
  if (key.type !== 'private') throw new TypeError('an ID block is signed with private keys');
  return encodeIdSignature(sign('sha384', bytes, { key, dsaEncoding: 'ieee-p1363' }));
}

function checkSignature(
  bytes: Uint8Array,
  key: Uint8Array,
  signatureBytes: Uint8Array,
  what: string,
): void {
  const numbers = parseIdSignature(signatureBytes);
  if (verify('sha384', bytes, { key: parseIdKey(key), dsaEncoding: 'ieee-p1363' }, numbers)) return;
  throw new AttestationError(
    'id-block-signature',
    `The signature over the ${what} does not verify`,
  );
}
