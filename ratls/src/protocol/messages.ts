/**
 * The messages of a session: the documents of the agent's API, as schemas.
 *
 * @module
 */
import * as z from 'zod';
import { INSTANCE_SIZE, NONCE_SIZE, SPEC_DIGEST_SIZE } from '../binding/report-data.ts';

/** The value of `schema` in evidence. */
export const EVIDENCE_SCHEMA = 'a3s-box/evidence/v1';

const REPORT_SIZE = 1184;
const MAX_TABLE = 64 * 1024;
const MAX_SPEC = 4 * 1024 * 1024;

/** Bounds of whole documents: the longest launch spec in base64, and the members around it. */
export const MAX_ATTEST_ANSWER = 6 * 1024 * 1024;
export const MAX_ANSWER = 256 * 1024;
export const MAX_ATTEST_REQUEST = 1024;

/** Base64 in its one form, of so many bytes. */
function bytes(least: number, most = least) {
  const longest = Math.ceil(most / 3) * 4;
  return z
    .string()
    .max(longest)
    .transform((text, context) => {
      const decoded = Buffer.from(text, 'base64');
      const canonical = decoded.toString('base64') === text;
      if (canonical && decoded.length >= least && decoded.length <= most) {
        return new Uint8Array(decoded);
      }
      const expected = least === most ? `${least}` : `${least} to ${most}`;
      context.addIssue({ code: 'custom', message: `must be base64 of ${expected} bytes` });
      return z.NEVER;
    });
}

const hex = (size: number) => z.string().regex(new RegExp(`^[0-9a-f]{${size * 2}}$`));

const Evidence = z.strictObject({
  schema: z.literal(EVIDENCE_SCHEMA),
  tee: z.enum(['sev-snp', 'simulated']),
  report: bytes(REPORT_SIZE),
  /** The certificate table as the host gave it: nothing vouches for the table as a whole. */
  certificates: bytes(0, MAX_TABLE).optional(),
});

/** Evidence and the values that it covers, as `POST /attest` and the agent's socket answer. */
export const AttestAnswer = z.strictObject({
  evidence: Evidence,
  instance: hex(INSTANCE_SIZE),
  specDigest: hex(SPEC_DIGEST_SIZE),
  spec: bytes(2, MAX_SPEC),
});
export type AttestAnswer = z.infer<typeof AttestAnswer>;

export const AttestRequest = z.strictObject({ nonce: bytes(NONCE_SIZE.least, NONCE_SIZE.most) });

/** Who a workload is, as the agent's socket answers. */
export const IdentityAnswer = z.object({
  tee: z.enum(['sev-snp', 'simulated']),
  instance: hex(INSTANCE_SIZE),
  specDigest: hex(SPEC_DIGEST_SIZE),
});

/** The answer of `GET /info`; a later agent may add members. */
export const InfoAnswer = z.object({
  protocol: z.int().min(1),
  tee: z.enum(['sev-snp', 'simulated']),
  instance: hex(INSTANCE_SIZE),
  specDigest: hex(SPEC_DIGEST_SIZE),
  secrets: z
    .array(z.object({ name: z.string().max(63), delivered: z.boolean() }))
    .max(64)
    .optional(),
});
export type Info = z.infer<typeof InfoAnswer>;

/** Bounds of a sealed value and of its envelope: those of `@a3s-box/sealing`. */
const MAX_VALUE = 64 * 1024;
const MAX_ENVELOPE = 260 + MAX_VALUE + 16;

/** The answer of `POST /seal`. */
export const SealAnswer = z.strictObject({ envelope: bytes(1, MAX_ENVELOPE) });

/** The answer of `POST /unseal`. */
export const UnsealAnswer = z.strictObject({ value: bytes(0, MAX_VALUE) });

/** A refusal. */
export const Failure = z.object({
  error: z.object({
    code: z.string().regex(/^[a-z0-9-]{1,64}$/),
    message: z.string().max(4096),
    /** The field of the launch spec that decided. Agents of older boot sets do not say. */
    rule: z
      .string()
      .regex(/^[a-zA-Z]{1,32}(\.[a-zA-Z]{1,32}){0,3}$/)
      .optional(),
  }),
});
