/**
 * Checks that an entry is in the log that it names, at a time when the trusted root has that log.
 *
 * @module
 */
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { Problem } from '../artifact/problem.ts';
import { isPromised, promisedTime } from './log-promise.ts';
import { isIncluded } from './log-proof.ts';

/**
 * A promise and a proof may both be there, and then both have to hold.
 *
 * @param times when it was signed, according to trusted parties: a proof contains no time
 * @throws Problem `log-entry-unproven`, or `no-signed-time` where no trusted time is known
 */
export function checkInclusion(
  entry: TransparencyLogEntry,
  { tlogs }: TrustMaterial,
  times: readonly Date[],
): void {
  const named = tlogs.filter(({ logID }) => logID.equals(entry.logId.keyId));
  const promised = promisedTime(entry);
  const moments = promised === undefined ? times : [promised];
  const logs = named.filter(({ validFor: { start, end } }) =>
    moments.every((at) => start <= at && at <= end),
  );
  const { inclusionPromise, inclusionProof } = entry;
  const holds =
    (inclusionPromise !== undefined || inclusionProof !== undefined) &&
    (inclusionPromise === undefined || isPromised(entry, logs)) &&
    (inclusionProof === undefined || isIncluded(entry, logs));
  if (!holds) {
    throw new Problem(
      'log-entry-unproven',
      'its entry is not proven to be in a transparency log that the trusted root has for that time',
    );
  }
  if (moments.length > 0) return;
  throw new Problem(
    'no-signed-time',
    'its entry has no promise and it has no timestamp, so nobody who is trusted says when it was signed',
  );
}
