/**
 * User ids that belong to no person: one per box, so that no box's processes can touch another's.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { CellIdentity } from './cell.ts';

/**
 * First id of the range. Debian and systemd give none out from here: above containers' (524288 to 1879048191),
 * below 2^31, so that no tool sees a negative number.
 */
const FIRST = 0x7a35_0000;
const COUNT = 0xffff;

/** Who image converters run as: the last of the range, never a box's. */
export const CONVERTER_IDENTITY: CellIdentity = { uid: FIRST + COUNT, gid: FIRST + COUNT };

/**
 * The lowest identity that no box has.
 *
 * @param taken the user ids of all boxes that exist
 * @throws A3sError `conflict` when all 65535 are taken
 */
export function allocateIdentity(taken: Iterable<number>): CellIdentity {
  const used = new Set(taken);
  for (let uid = FIRST; uid < FIRST + COUNT; uid++) {
    if (!used.has(uid)) return { uid, gid: uid };
  }
  throw new A3sError('conflict', `Cannot make a box: all ${COUNT} user ids for boxes are taken`, {
    remedy: 'Remove boxes that are no longer needed with a3s-box rm.',
  });
}

/**
 * The identity of a new box: its own when root asks, the caller's otherwise, since an ordinary user has no other.
 *
 * @param uid the effective user id of this process
 */
export function identityFor(uid: number, gid: number, taken: Iterable<number>): CellIdentity {
  return uid === 0 ? allocateIdentity(taken) : { uid, gid };
}

/** Whether processes of this user id can be cells' of this user: its own, and for root those of the range. */
export function isCellUid(uid: number): boolean {
  const own = process.geteuid?.();
  return uid === own || (own === 0 && uid >= FIRST && uid <= FIRST + COUNT);
}
