/**
 * The ID block of a launch, checked as SNP_LAUNCH_FINISH checks it: a signed statement that permits
 * one guest, and gives its ids.
 *
 * @module
 */
import { toHex } from '../../hex.ts';
import { ID_AUTH_SIZE } from '../../measure/id-block/id-auth.ts';
import { ID_BLOCK_SIZE } from '../../measure/id-block/id-block.ts';
import { type VerifiedIdBlock, verifyIdBlock } from '../../measure/id-block/id-sign.ts';
import { exactBytes, refused } from './request.ts';

/** An ID block and its authentication information; `signIdBlock` makes both. */
export interface LaunchIdentity {
  /** 96 bytes. */
  readonly idBlock: Uint8Array;
  /** 4096 bytes. */
  readonly idAuth: Uint8Array;
  /** AUTHOR_KEY_EN: the author key must have signed the ID key. False where it is not given. */
  readonly authorKeyEnabled?: boolean;
}

/** The fields of a report about a guest's ID block; zeros without one. */
export interface GuestIdentity {
  readonly familyId: string;
  readonly imageId: string;
  readonly guestSvn: number;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly authorKeyEn: boolean;
}

/** What an ID block must fit. */
export interface Launched {
  /** 96 hexadecimal digits. */
  readonly measurement: string;
  readonly policy: bigint;
}

const ZERO_DIGEST = '00'.repeat(48);
const ZERO_ID = '00'.repeat(16);

/**
 * What a guest is called, by its ID block.
 *
 * @throws {AttestationError} `simulated-request` for a block of another guest or policy, and for
 *   one that its keys did not sign.
 */
export function identify(id: LaunchIdentity | undefined, launched: Launched): GuestIdentity {
  if (id === undefined) {
    const digests = { idKeyDigest: ZERO_DIGEST, authorKeyDigest: ZERO_DIGEST };
    return { familyId: ZERO_ID, imageId: ZERO_ID, guestSvn: 0, ...digests, authorKeyEn: false };
  }
  const { idBlock, idKeyDigest, authorKeyDigest } = verified(id);
  const { launchDigest, familyId, imageId, guestSvn, policy } = idBlock;
  requireSame('guest', launched.measurement, toHex(launchDigest));
  requireSame('policy', `0x${launched.policy.toString(16)}`, `0x${policy.toString(16)}`);
  return {
    familyId: toHex(familyId),
    imageId: toHex(imageId),
    guestSvn,
    idKeyDigest: toHex(idKeyDigest),
    ...author(id.authorKeyEnabled === true, authorKeyDigest),
  };
}

function author(
  authorKeyEn: boolean,
  digest: Uint8Array | undefined,
): Pick<GuestIdentity, 'authorKeyDigest' | 'authorKeyEn'> {
  if (!authorKeyEn) return { authorKeyDigest: ZERO_DIGEST, authorKeyEn };
  if (digest === undefined) throw refused('no author key signed the ID key, though it is enabled');
  return { authorKeyDigest: toHex(digest), authorKeyEn };
}

function verified(id: LaunchIdentity): VerifiedIdBlock {
  const block = exactBytes('the ID block', id.idBlock, ID_BLOCK_SIZE);
  const auth = exactBytes('the ID authentication', id.idAuth, ID_AUTH_SIZE);
  try {
    return verifyIdBlock(block, auth);
  } catch (cause) {
    throw refused('the ID block is not one that its keys signed', { cause });
  }
}

function requireSame(what: string, expected: string, found: string): void {
  if (found !== expected) throw refused(`the ID block is of another ${what}`, { expected, found });
}
