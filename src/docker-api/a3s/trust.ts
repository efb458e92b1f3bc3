/**
 * What would be decided about an image, and why.
 *
 * @module
 */
import * as z from 'zod';
import { TrustDecision } from '../../trust/decision.ts';
import type { Document } from '../document.ts';

const Rule = z.discriminatedUnion('action', [
  z.strictObject({
    pattern: z.string(),
    action: z.literal('require'),
    require: z.array(
      z.strictObject({
        keys: z.array(z.strictObject({ name: z.string(), keyId: z.string() })),
        identities: z.array(z.string()),
        threshold: z.int(),
        annotations: z.record(z.string(), z.string()),
        transparencyLog: z.enum(['required', 'none']),
        dockerReference: z.enum(['ignore', 'repository', 'exact']),
        attestation: z
          .strictObject({ predicateType: z.string(), conditions: z.array(z.string()) })
          .optional(),
      }),
    ),
  }),
  z.strictObject({
    pattern: z.string(),
    action: z.literal('deny'),
    reason: z.string().optional(),
  }),
  z.strictObject({
    pattern: z.string(),
    action: z.literal('allowUnsigned'),
    confidential: z.literal(true).optional(),
  }),
]);
export type Rule = Document<typeof Rule>;

export const Explanation = z.strictObject({
  decisions: z.array(TrustDecision),
  rules: z.array(Rule),
});
export type Explanation = Document<typeof Explanation>;
