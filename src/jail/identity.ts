/**
 * User ids that belong to no person: one for each box, so that a box's processes cannot touch
 * another's.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from './jail.ts';

/**
 * First id of the range. Debian and systemd assign none of it: it is above containers' ids (524288
 * to 1879048191), and below 2^31, so that no tool shows a negative number.
 */
const FIRST = 0x7a35_0000;
const COUNT = 0xffff;

/** The user of image converters: the last of the range, never a box's. */
export const CONVERTER_IDENTITY: JailIdentity = { uid: FIRST + COUNT, gid: FIRST + COUNT };

/** The user of VMs that become templates: one VM at a time, and never a box. */
export const TEMPLATE_IDENTITY: JailIdentity = { uid: FIRST + COUNT - 1, gid: FIRST + COUNT - 1 };

/** The user of DNS servers of networks: never a box's. */
export const NAME_SERVER_IDENTITY: JailIdentity = {
  uid: FIRST + COUNT - 2,
  gid: FIRST + COUNT - 2,
};

/** The user of the VM of self-tests: one at a time, and never a box's. */
export const SELF_TEST_IDENTITY: JailIdentity = { uid: FIRST + COUNT - 3, gid: FIRST + COUNT - 3 };

/** The user of programs that lead published ports to the loopback: never a box's. */
export const RELAY_IDENTITY: JailIdentity = { uid: FIRST + COUNT - 4, gid: FIRST + COUNT - 4 };

/** The user of programs that join networks to the host's: never a box's. */
export const PASTA_IDENTITY: JailIdentity = { uid: FIRST + COUNT - 5, gid: FIRST + COUNT - 5 };

/** Whether pasta of this process's networks can have this user id. */
export function isPastaUser(uid: number | undefined): boolean {
  const own = process.geteuid?.();
  return uid !== undefined && (uid === own || (own === 0 && uid === PASTA_IDENTITY.uid));
}

/**
 * From a box's id to that of the programs that check what the box sends: in a range of their own,
 * which follows that of boxes.
 */
const CHECKING = 0x1_0000;

/** The user of programs that check what a box sends. It is not the VMM's, which the box may own. */
export function checkingIdentity({ uid, gid }: JailIdentity): JailIdentity {
  return { uid: uid + CHECKING, gid: gid + CHECKING };
}

/** The number of ids for boxes. */
const BOXES = COUNT - 5;

/**
 * The user of a converter: an identity of its own when root runs the server, the caller's
 * otherwise.
 */
export function converterIdentity(): JailIdentity {
  const uid = process.geteuid?.() ?? 0;
  return uid === 0 ? CONVERTER_IDENTITY : { uid, gid: process.getegid?.() ?? 0 };
}

/**
 * The lowest identity that no box has.
 *
 * @param taken the user ids of all boxes that exist
 * @throws A3sError `conflict` when all 65530 are taken
 */
export function allocateIdentity(taken: Iterable<number>): JailIdentity {
  const used = new Set(taken);
  for (let uid = FIRST; uid < FIRST + BOXES; uid++) {
    if (!used.has(uid)) return { uid, gid: uid };
  }
  throw new A3sError('conflict', `Cannot make a box: all ${BOXES} user ids for boxes are taken`, {
    remedy: 'Remove boxes that are no longer needed with a3s-box rm.',
  });
}

/**
 * The identity of a new box: its own when root runs the server, the caller's otherwise, since an
 * ordinary user has no other.
 *
 * @param uid the effective user id of this process
 */
export function identityFor(uid: number, gid: number, taken: Iterable<number>): JailIdentity {
  return uid === 0 ? allocateIdentity(taken) : { uid, gid };
}

/**
 * First of the groups that mark a VM's processes: above the whole range. No file has one of them.
 */
const FIRST_GROUP = 0x7b00_0000;
const GROUP_BYTES = 3;

/**
 * The group that marks the processes of one VM. User ids alone do not: each home assigns them by
 * itself, so two homes of root may use the same.
 */
export function jailGroup(runtimeDir: string): number {
  const digest = createHash('sha256').update(`group ${runtimeDir}`).digest();
  return FIRST_GROUP + digest.readUIntBE(0, GROUP_BYTES);
}

/**
 * Whether processes of this user id can belong to jails of this user: those of its own id, and for
 * root those of the range.
 */
export function isJailUid(uid: number): boolean {
  const own = process.geteuid?.();
  return uid === own || (own === 0 && uid >= FIRST && uid <= FIRST + COUNT);
}
