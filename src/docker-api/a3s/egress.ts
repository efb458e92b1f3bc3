/**
 * What a box, or the boxes of a network, may reach outside of their networks.
 *
 * @module
 */
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import * as z from 'zod';
import type { Document } from '../document.ts';

const byDefault = z.enum(['deny', 'public']);

export const EgressBody = z.strictObject({
  /** Rules that come before those of the policy. */
  Rules: z.array(z.string().max(1024)).max(128).default([]),
  /** The text of a network policy, in YAML or JSON. */
  Policy: z.string().max(MAX_POLICY_DOCUMENT).optional(),
  /** In place of the policy's. */
  Default: byDefault.optional(),
});
export type EgressBody = Document<typeof EgressBody>;

/** As it is enforced: one list of rules, each in its one spelling. */
export const EgressShown = z.strictObject({ Default: byDefault, Rules: z.array(z.string()) });
export type EgressShown = Document<typeof EgressShown>;

/** What would happen to a connection of a box, in each network that leads outside. */
export const EgressExplained = z.strictObject({
  Target: z.string(),
  Networks: z.array(
    z.strictObject({
      Network: z.string(),
      Allowed: z.boolean(),
      /** The policy that decides; empty: there is none. */
      Policy: z.enum(['box', 'network', '']),
      /** The rule that decides, or why none does. */
      Rule: z.string(),
      /** What else it depends on. */
      Notes: z.array(z.string()),
    }),
  ),
});
export type EgressExplained = Document<typeof EgressExplained>;
