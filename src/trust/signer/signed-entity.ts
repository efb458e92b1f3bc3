/**
 * Evidence in the shape that `@sigstore/verify` takes.
 *
 * @module
 */
import { BUNDLE_V03_MEDIA_TYPE, type Bundle } from '@sigstore/bundle';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import { type SignedEntity, toSignedEntity } from '@sigstore/verify';
import type { Evidence } from '../artifact/evidence.ts';
import { isSignedBy } from '../keys/signer-key.ts';
import { promisedTime } from '../log/log-promise.ts';

/** @throws errors of many kinds where a certificate or a timestamp is malformed */
export function toEntity(evidence: Evidence): SignedEntity {
  const { certificate, signature, signed } = evidence;
  const bundle: Bundle = {
    mediaType: BUNDLE_V03_MEDIA_TYPE,
    content: {
      $case: 'messageSignature',
      messageSignature: {
        messageDigest: { algorithm: HashAlgorithm.SHA2_256, digest: Buffer.alloc(0) },
        signature,
      },
    },
    verificationMaterial: {
      content:
        certificate === undefined
          ? { $case: 'publicKey', publicKey: { hint: '' } }
          : { $case: 'certificate', certificate: { rawBytes: certificate } },
      tlogEntries: [...evidence.logEntries],
      timestampVerificationData: {
        rfc3161Timestamps: evidence.timestamps.map((signedTimestamp) => ({ signedTimestamp })),
      },
    },
  };
  return {
    ...toSignedEntity(bundle, signed),
    // Their promises are among its timestamps. `log-entry.ts` checks their subjects, and
    // `log-inclusion.ts` checks that a log has them.
    tlogEntries: [],
    // Timestamps of cosign's attestations are over the envelope; only timestamps use `signature`.
    signature: {
      signature: evidence.timestamped,
      compareSignature: () => false,
      compareDigest: () => false,
      verifySignature: (key) => isSignedBy(key, signed, signature),
    },
  };
}

/** The times of logs and timestamp authorities; true only for verified evidence. */
export function signedTimes(evidence: Evidence): Date[] {
  return toEntity(evidence).timestamps.flatMap((stamp) => {
    if (stamp.$case === 'timestamp-authority') return [stamp.timestamp.signingTime];
    return promisedTime(stamp.tlogEntry) ?? [];
  });
}
