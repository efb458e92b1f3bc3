/**
 * The ID block: an owner's signed statement about a guest, so that the secure processor launches no
 * other.
 *
 * SEV-SNP firmware ABI, "ID Block Structure". One signing key vouches for many measurements, and a
 * report then carries its digest and the guest's security version.
 *
 * @module
 */
import { ownedBytes } from '../../owned-bytes.ts';
import { DIGEST_SIZE } from '../launch-digest.ts';
import { refuseIdBlock } from './id-block-refusal.ts';

/** Bytes of an ID block. */
export const ID_BLOCK_SIZE = 96;

/** The signed fields of a guest. */
export interface IdBlock {
  /** The launch digest that the guest must have, 48 bytes. */
  readonly launchDigest: Uint8Array;
  /** 16 bytes of the owner's choice; FAMILY_ID of the report. */
  readonly familyId: Uint8Array;
  /** 16 bytes of the owner's choice; IMAGE_ID of the report. */
  readonly imageId: Uint8Array;
  /** Security version of the guest, 32 bits; GUEST_SVN of the report. */
  readonly guestSvn: number;
  /** The guest policy that it must be launched with; POLICY of the report. */
  readonly policy: bigint;
}

const WHAT = 'an ID block';
const VERSION = 1;
const ID_SIZE = 16;
/** Bit 17 must be one, bits 63 to 26 zero. */
const POLICY_ONE = 1n << 17n;
const POLICY_END = 1n << 26n;

/** @throws RangeError a field of the wrong length or out of range */
export function encodeIdBlock(block: IdBlock): Uint8Array {
  const { launchDigest, familyId, imageId, guestSvn, policy } = block;
  if (launchDigest.length !== DIGEST_SIZE) throw new RangeError('a launch digest has 48 bytes');
  if (familyId.length !== ID_SIZE || imageId.length !== ID_SIZE) {
    throw new RangeError('family and image IDs have 16 bytes');
  }
  if (guestSvn >>> 0 !== guestSvn) throw new RangeError('a guest SVN has 32 bits');
  if (!isPolicy(policy)) throw new RangeError('a guest policy sets bit 17 and none above 25');
  const bytes = new Uint8Array(ID_BLOCK_SIZE);
  bytes.set(launchDigest, 0);
  bytes.set(familyId, 48);
  bytes.set(imageId, 64);
  const view = new DataView(bytes.buffer);
  view.setUint32(80, VERSION, true);
  view.setUint32(84, guestSvn, true);
  view.setBigUint64(88, policy, true);
  return bytes;
}

/**
 * @throws AttestationError `id-block-malformed`: another length or version, an impossible policy
 */
export function parseIdBlock(input: Uint8Array): IdBlock {
  const bytes = ownedBytes(input, 'an ID block');
  if (bytes.length !== ID_BLOCK_SIZE)
    refuseIdBlock(WHAT, `${ID_BLOCK_SIZE} bytes`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(80, true);
  if (version !== VERSION) refuseIdBlock(WHAT, 'version 1', `${version}`);
  const policy = view.getBigUint64(88, true);
  if (!isPolicy(policy)) {
    refuseIdBlock(WHAT, 'a guest policy with bit 17 and none above 25', `0x${policy.toString(16)}`);
  }
  return {
    launchDigest: bytes.slice(0, 48),
    familyId: bytes.slice(48, 64),
    imageId: bytes.slice(64, 80),
    guestSvn: view.getUint32(84, true),
    policy,
  };
}

function isPolicy(policy: bigint): boolean {
  return policy >= 0n && policy < POLICY_END && (policy & POLICY_ONE) !== 0n;
}
