/**
 * The revocation list that the simulated root issues.
 *
 * @module
 */
import { assemble, buildCrlTbs } from '../../certificates/build.ts';
import type { Authority } from '../state.ts';
import { nameOf } from './names.ts';
import { signPss } from './pss.ts';

/** The contents of a list. */
export interface CrlRequest {
  readonly number: bigint;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  /** Milliseconds since 1970. */
  readonly nextUpdate: number;
  /** Serial numbers, hexadecimal. */
  readonly revoked: readonly string[];
}

const DAY = 86_400_000;

/** The list of a day: numbered by days since 1970, so that a later one has a greater number. */
export function currentCrl(now: number): CrlRequest {
  const number = BigInt(Math.floor(now / DAY));
  return { number, thisUpdate: now - DAY, nextUpdate: now + 30 * DAY, revoked: [] };
}

/** Issues a list, in DER. */
export function issueCrl(request: CrlRequest, ark: Authority): Uint8Array {
  const { thisUpdate, revoked } = request;
  const tbs = buildCrlTbs({
    ...request,
    issuer: nameOf('ark'),
    revoked: new Map(revoked.map((serial) => [serial, thisUpdate])),
    authorityKeyId: ark.subjectKeyId,
  });
  return assemble(tbs, signPss(tbs, ark.privateKey));
}
