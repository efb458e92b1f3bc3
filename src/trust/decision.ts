/**
 * The decision about an image and its reasons. The launch record of a box and the API show it.
 *
 * @module
 */
import * as z from 'zod';

const Signer = z.discriminatedUnion('kind', [
  /**
   * `keyId`: SHA-256 of the DER of the public key (SubjectPublicKeyInfo), in hexadecimal. `name`:
   * as the policy names it.
   */
  z.strictObject({ kind: z.literal('key'), keyId: z.string(), name: z.string() }),
  z.strictObject({ kind: z.literal('identity'), issuer: z.string(), subject: z.string() }),
]);

/** One signature or attestation that was looked at. */
const Finding = z.strictObject({
  /** Digest of the artifact's manifest in the registry. */
  artifact: z.string(),
  /** What it was attached to: the image's manifest, or an index that lists it. */
  subject: z.string(),
  format: z.enum(['cosign', 'bundle-0.1', 'bundle-0.2', 'bundle-0.3', 'unknown']),
  predicateType: z.string().optional(),
  accepted: z.boolean(),
  signer: Signer.optional(),
  /** Of the transparency log's entry. */
  logIndex: z.string().optional(),
  logId: z.string().optional(),
  /** When it was signed, as the log or the timestamp authority says; ISO 8601. */
  signedAt: z.string().optional(),
  /** The reason why it does not count, with a stable code. */
  problem: z.strictObject({ code: z.string(), message: z.string() }).optional(),
});

const RequirementResult = z.strictObject({
  /** Position in the rule's `require`, from 0. */
  index: z.int().min(0),
  met: z.boolean(),
  /** How many distinct signers counted, and how many are needed. */
  signers: z.int().min(0),
  threshold: z.int().min(1),
  findings: z.array(Finding),
});

export const TrustDecision = z.strictObject({
  verdict: z.enum(['signed', 'unsigned', 'refused']),
  /** Time of the decision; ISO 8601. */
  at: z.string(),
  image: z.strictObject({
    /** As the caller named it. */
    reference: z.string(),
    /** Canonical repository that rules were matched against; empty for an image without a name. */
    repository: z.string(),
    manifestDigest: z.string(),
    indexDigests: z.array(z.string()),
  }),
  policy: z.strictObject({
    source: z.enum(['built-in', 'file', 'call']),
    /** Of the file, where there is one. */
    path: z.string().optional(),
    /** SHA-256 of the policy's self-contained form. */
    digest: z.string(),
  }),
  /** The first rule whose pattern matches; absent where none does, which refuses. */
  rule: z
    .strictObject({
      /** Position in `images`, from 0. */
      index: z.int().min(0),
      pattern: z.string(),
      action: z.enum(['require', 'deny', 'allowUnsigned']),
    })
    .optional(),
  requirements: z.array(RequirementResult),
  /** One sentence that names rule and reason. */
  reason: z.string(),
});
export type TrustDecision = z.infer<typeof TrustDecision>;
export type Finding = z.infer<typeof Finding>;
export type RequirementResult = z.infer<typeof RequirementResult>;
export type Signer = z.infer<typeof Signer>;
