/**
 * A bundle as JSON: without unknown members, with one of each exclusive member, and bounded.
 *
 * `@sigstore/bundle` reads protobuf's JSON, which ignores unknown members, takes the last of two
 * contents, and takes any text for base64.
 *
 * @module
 */
import * as z from 'zod';
import { isBase64 } from '../artifact/evidence-json.ts';
import { MAX_BODY } from '../limits.ts';

const Bytes = (max: number) =>
  z
    .string()
    .max(Math.ceil(max / 3) * 4)
    .refine(isBase64, 'expected padded base64');
const Text = z.string().max(4096);
const Int64 = z.string().regex(/^(?:0|[1-9][0-9]{0,14})$/, 'expected an integer');

const Certificate = z.strictObject({ rawBytes: Bytes(16 * 1024) });

const TransparencyLogEntry = z.strictObject({
  // Protobuf's JSON leaves out what is zero or empty.
  logIndex: Int64.optional(),
  logId: z.strictObject({ keyId: Bytes(64) }),
  kindVersion: z.strictObject({ kind: Text, version: Text }),
  integratedTime: Int64.optional(),
  // Some writers write null for an absent message, which protobuf's JSON allows.
  inclusionPromise: z.strictObject({ signedEntryTimestamp: Bytes(4096) }).nullish(),
  inclusionProof: z
    .strictObject({
      logIndex: Int64.optional(),
      rootHash: Bytes(64),
      treeSize: Int64,
      hashes: z.array(Bytes(64)).max(64).optional(),
      checkpoint: z.strictObject({ envelope: z.string().max(16 * 1024) }),
    })
    .nullish(),
  canonicalizedBody: Bytes(MAX_BODY),
});

const VerificationMaterial = z
  .strictObject({
    publicKey: z.strictObject({ hint: Text.optional() }).optional(),
    certificate: Certificate.optional(),
    x509CertificateChain: z
      .strictObject({ certificates: z.array(Certificate).min(1).max(10) })
      .optional(),
    tlogEntries: z.array(TransparencyLogEntry).max(4).optional(),
    timestampVerificationData: z
      .strictObject({
        rfc3161Timestamps: z
          .array(z.strictObject({ signedTimestamp: Bytes(64 * 1024) }))
          .max(4)
          .optional(),
      })
      .optional(),
  })
  .refine(
    ({ publicKey, certificate, x509CertificateChain }) =>
      [publicKey, certificate, x509CertificateChain].filter((one) => one !== undefined).length ===
      1,
    'expected one of publicKey, certificate, x509CertificateChain',
  );

export const BundleDocument = z
  .strictObject({
    mediaType: Text,
    verificationMaterial: VerificationMaterial,
    messageSignature: z
      .strictObject({
        messageDigest: z.strictObject({ algorithm: z.literal('SHA2_256'), digest: Bytes(32) }),
        signature: Bytes(8 * 1024),
      })
      .optional(),
    dsseEnvelope: z
      .strictObject({
        payload: Bytes(16 * 1024 * 1024),
        payloadType: Text,
        signatures: z
          .array(z.strictObject({ sig: Bytes(8 * 1024), keyid: Text.optional() }))
          .length(1),
      })
      .optional(),
  })
  .refine(
    ({ messageSignature, dsseEnvelope }) =>
      (messageSignature === undefined) !== (dsseEnvelope === undefined),
    'expected one of messageSignature, dsseEnvelope',
  );
