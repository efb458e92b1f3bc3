/**
 * Evidence of a confidential box, as its host got it from the guest.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const digits = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

export const Evidence = z.strictObject({
  /**
   * A report through the host does not show which guest the caller's own connection would reach.
   */
  hint: z.literal(true),
  simulated: z.boolean(),
  note: z.string().optional(),
  evidence: z.strictObject({
    schema: z.literal('a3s-box/evidence/v1'),
    tee: z.enum(['sev-snp', 'simulated']),
    report: z.base64(),
    certificates: z.base64().optional(),
  }),
  instance: digits(16),
  specDigest: digits(32),
  spec: z.base64(),
  /** REPORT_DATA follows from these, and from what the guest answered. */
  session: z.strictObject({ nonce: z.base64(), publicKey: z.base64(), exporter: z.base64() }),
});
export type Evidence = Document<typeof Evidence>;
