/**
 * Which guest may open an envelope, by rules with a code each.
 *
 * Nothing depends on them for secrecy: a guest that ignores them gets another key. They say which
 * difference it is, where a key alone would say that something is broken.
 *
 * @module
 */
import { equal, isZero, toHex } from './bytes.ts';
import { type SealingCode, SealingError } from './errors.ts';
import type { SealedHeader, SealingTee } from './header.ts';
import type { SealingPolicy } from './key-request.ts';

/** What a guest is, from its own report and its launch spec. */
export interface SealingGuest {
  readonly tee: SealingTee;
  /** `sealing` of the launch spec. `upgradable` permits `exact` too. */
  readonly sealing: 'none' | SealingPolicy;
  readonly hostData: Uint8Array;
  readonly measurement: Uint8Array;
  /** Zero for a guest that was launched without an ID block. */
  readonly idKeyDigest: Uint8Array;
  readonly guestSvn: number;
}

/** Whether a launch spec permits a policy. */
export function permitsPolicy(sealing: 'none' | SealingPolicy, policy: SealingPolicy): boolean {
  return sealing === policy || sealing === 'upgradable';
}

/**
 * Checks that a guest may open what has this header, for a purpose.
 *
 * @throws {SealingError} with the code of the first rule that is not met
 */
export function requirePermitted(header: SealedHeader, guest: SealingGuest, purpose: string): void {
  const { policy } = header;
  demand('sealed-tee', header.tee === guest.tee, guest.tee, header.tee);
  demand('sealing-policy', permitsPolicy(guest.sealing, policy), guest.sealing, policy);
  demand('sealed-purpose', header.purpose === purpose, purpose, header.purpose);
  same('sealed-spec', guest.hostData, header.hostData);
  if (policy === 'exact') same('sealed-measurement', guest.measurement, header.measurement);
  else same('sealed-id-key', guest.idKeyDigest, header.idKeyDigest);
  const enough = header.guestSvn <= guest.guestSvn;
  demand('sealed-svn', enough, `at most ${guest.guestSvn}`, `${header.guestSvn}`);
}

const MESSAGES: Partial<Record<SealingCode, string>> = {
  'sealed-tee': 'another kind of processor sealed it',
  'sealing-policy': 'the launch spec does not permit its policy',
  'sealed-purpose': 'it was sealed for another purpose',
  'sealed-spec': 'it was sealed under another launch spec',
  'sealed-measurement': 'it was sealed under another launch digest',
  'sealed-id-key': 'it was sealed under another ID key',
  'sealed-svn': 'the guest SVN is below the one that it was sealed for',
};

function demand(code: SealingCode, met: boolean, expected: string, found: string): void {
  if (met) return;
  const message = `Cannot open the envelope: ${MESSAGES[code]}.`;
  throw new SealingError(code, message, { expected, found });
}

function same(code: SealingCode, expected: Uint8Array, found: Uint8Array): void {
  demand(code, equal(expected, found) && !isZero(expected), toHex(expected), toHex(found));
}
