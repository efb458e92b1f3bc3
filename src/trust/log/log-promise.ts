/**
 * A log's promise to include an entry (Rekor v1, "signed entry timestamp"): the only signed time of
 * a log.
 *
 * @module
 */
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { isSignedBy } from '../keys/signer-key.ts';

type Log = TrustMaterial['tlogs'][number];
type Promised = Pick<TransparencyLogEntry, 'inclusionPromise' | 'integratedTime'>;

/** Undefined without a promise: then nobody has signed the time in the entry. */
export function promisedTime({ inclusionPromise, integratedTime }: Promised): Date | undefined {
  return inclusionPromise === undefined ? undefined : new Date(Number(integratedTime) * 1000);
}

/** Whether one of the logs has promised the entry. */
export function isPromised(entry: TransparencyLogEntry, logs: readonly Log[]): boolean {
  const { canonicalizedBody, integratedTime, logId, logIndex, inclusionPromise } = entry;
  if (inclusionPromise === undefined) return false;
  const { signedEntryTimestamp } = inclusionPromise;
  // Canonical JSON (RFC 8785): members in this order, and nothing in the values to escape.
  const promised = Buffer.from(
    JSON.stringify({
      body: canonicalizedBody.toString('base64'),
      integratedTime: Number(integratedTime),
      logID: logId.keyId.toString('hex'),
      logIndex: Number(logIndex),
    }),
  );
  return logs.some(({ publicKey }) => isSignedBy(publicKey, promised, signedEntryTimestamp));
}
