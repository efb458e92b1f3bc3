/**
 * The ID block of a launch, checked as SNP_LAUNCH_FINISH checks it: a signed statement of who may
 * be launched, and what it is called.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { toHex } from '../hex.ts';
import { exactBytes, refused } from './request.ts';

/** An ID block with its authentication. */
export interface SignedIdBlock {
  /** 96 bytes. */
  readonly block: Uint8Array;
  /** 4096 bytes. */
  readonly auth: Uint8Array;
  /** AUTHOR_KEY_EN: the author key must have signed the ID key. */
  readonly authorKeyEnabled: boolean;
}

/** What a report says of a guest's ID block; zeros where there is none. */
export interface GuestIdentity {
  readonly familyId: string;
  readonly imageId: string;
  readonly guestSvn: number;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly authorKeyEn: boolean;
}

/** What an ID block must fit. */
interface Launched {
  /** 96 hexadecimal digits. */
  readonly measurement: string;
  readonly policy: bigint;
}

const BLOCK_BYTES = 96;
const AUTH_BYTES = 4096;
const KEY_BYTES = 0x404;
const SIGNATURE_BYTES = 512;
const NUMBER_BYTES = 72;
const COORDINATE_BYTES = 48;
const VERSION = 1;
const ECDSA_P384 = 1;
const CURVE_P384 = 2;

const NO_IDENTITY: GuestIdentity = {
  familyId: '00'.repeat(16),
  imageId: '00'.repeat(16),
  guestSvn: 0,
  idKeyDigest: '00'.repeat(48),
  authorKeyDigest: '00'.repeat(48),
  authorKeyEn: false,
};

/**
 * What a guest is called, by its ID block.
 *
 * @throws {AttestationError} `simulated-request` for a block of another guest or policy, and for
 *   one that its keys did not sign.
 */
export function identify(id: SignedIdBlock | undefined, launched: Launched): GuestIdentity {
  if (id === undefined) return NO_IDENTITY;
  const block = exactBytes('the ID block', id.block, BLOCK_BYTES);
  const auth = exactBytes('the ID authentication', id.auth, AUTH_BYTES);
  checkBlock(block, launched);
  const idKey = auth.subarray(0x240, 0x240 + KEY_BYTES);
  const authorKey = auth.subarray(0x880, 0x880 + KEY_BYTES);
  checkSignature('ID', auth, { algorithm: 0x000, signature: 0x040, key: idKey, signed: block });
  if (id.authorKeyEnabled) {
    const at = { algorithm: 0x004, signature: 0x680 };
    checkSignature('author', auth, { ...at, key: authorKey, signed: idKey });
  }
  return {
    familyId: toHex(block.subarray(0x30, 0x40)),
    imageId: toHex(block.subarray(0x40, 0x50)),
    guestSvn: viewOf(block).getUint32(0x54, true),
    idKeyDigest: digestOf(idKey),
    authorKeyDigest: id.authorKeyEnabled ? digestOf(authorKey) : NO_IDENTITY.authorKeyDigest,
    authorKeyEn: id.authorKeyEnabled,
  };
}

function checkBlock(block: Uint8Array, { measurement, policy }: Launched): void {
  const view = viewOf(block);
  const ld = toHex(block.subarray(0, 48));
  if (ld !== measurement) {
    throw refused('the ID block is that of another guest', { expected: measurement, found: ld });
  }
  const version = view.getUint32(0x50, true);
  if (version !== VERSION) {
    throw refused('the ID block is of an unknown version', { expected: '1', found: `${version}` });
  }
  const demanded = view.getBigUint64(0x58, true);
  if (demanded !== policy) {
    throw refused('the ID block demands another policy', {
      expected: `0x${policy.toString(16)}`,
      found: `0x${demanded.toString(16)}`,
    });
  }
}

/** Who signed, where it is said, and what is signed. */
interface SignedPart {
  /** Offset of the algorithm. */
  readonly algorithm: number;
  /** Offset of the signature. */
  readonly signature: number;
  readonly key: Uint8Array;
  readonly signed: Uint8Array;
}

function checkSignature(name: string, auth: Uint8Array, part: SignedPart): void {
  const algorithm = viewOf(auth).getUint32(part.algorithm, true);
  const curve = viewOf(part.key).getUint32(0, true);
  if (algorithm !== ECDSA_P384 || curve !== CURVE_P384) {
    throw refused(`the ${name} key is of an unknown kind`, {
      expected: `algorithm ${ECDSA_P384}, curve ${CURVE_P384}`,
      found: `algorithm ${algorithm}, curve ${curve}`,
    });
  }
  const encoded = auth.subarray(part.signature, part.signature + SIGNATURE_BYTES);
  const signature = Buffer.concat([bigEndian(encoded, 0), bigEndian(encoded, NUMBER_BYTES)]);
  const key = importKey(name, part.key);
  if (!verify('sha384', part.signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) {
    throw refused(`the ${name} key did not sign what it should have`);
  }
}

function importKey(name: string, key: Uint8Array): KeyObject {
  const coordinate = (offset: number) => bigEndian(key, offset).toString('base64url');
  const x = coordinate(4);
  const y = coordinate(4 + NUMBER_BYTES);
  try {
    return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-384', x, y } });
  } catch (cause) {
    throw refused(`the ${name} key is no point on P-384`, { cause });
  }
}

/** The 48 bytes that P-384 can fill of a little-endian number. */
function bigEndian(bytes: Uint8Array, offset: number): Buffer {
  return Buffer.from(bytes.subarray(offset, offset + COORDINATE_BYTES)).reverse();
}

function digestOf(key: Uint8Array): string {
  return createHash('sha384').update(key).digest('hex');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
