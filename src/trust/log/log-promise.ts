/**
 * A log's promise to include an entry (Rekor v1, "signed entry timestamp"), for entries of kinds that
 * `@sigstore/verify` does not know: cosign's attestations until 2.3 have them.
 *
 * @module
 */
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { Problem } from '../evidence/problem.ts';
import { isSignedBy } from '../signer/signer-key.ts';

const KNOWN = new Set([
  'hashedrekord/0.0.1',
  'hashedrekord/0.0.2',
  'dsse/0.0.1',
  'dsse/0.0.2',
  'intoto/0.0.2',
]);

/** Whether `@sigstore/verify` can compare such an entry with a signature. */
export function libraryKnows({ kindVersion }: TransparencyLogEntry): boolean {
  return KNOWN.has(`${kindVersion.kind}/${kindVersion.version}`);
}

/** @throws Problem `log-entry-unproven` where no log that is trusted at that time has signed it */
export function checkPromise(entry: TransparencyLogEntry, material: TrustMaterial): void {
  const { canonicalizedBody, integratedTime, logId, logIndex, inclusionPromise } = entry;
  const at = new Date(Number(integratedTime) * 1000);
  // Canonical JSON (RFC 8785): members in this order, and nothing in the values to escape.
  const promised = Buffer.from(
    JSON.stringify({
      body: canonicalizedBody.toString('base64'),
      integratedTime: Number(integratedTime),
      logID: logId.keyId.toString('hex'),
      logIndex: Number(logIndex),
    }),
  );
  const kept = material.tlogs.some(
    ({ logID, publicKey, validFor }) =>
      inclusionPromise !== undefined &&
      logID.equals(logId.keyId) &&
      validFor.start <= at &&
      at <= validFor.end &&
      isSignedBy(publicKey, promised, inclusionPromise.signedEntryTimestamp),
  );
  if (kept) return;
  throw new Problem(
    'log-entry-unproven',
    'its entry is not proven to be in a transparency log of the trusted root',
  );
}
