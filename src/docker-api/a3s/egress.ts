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

/** A secret that the host puts into requests of the box; the box has a placeholder in its place. */
export const EgressSecretBody = z.strictObject({
  /** The variable with the placeholder. */
  Name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of a variable'),
  /** Never shown again. */
  Value: z
    .string()
    .regex(/^[!-~]([ -~]*[!-~])?$/, 'must be one line of printable ASCII characters')
    // What is shorter would be found in answers by accident; servers take heads of 8 KiB.
    .min(8)
    .max(4096),
  /** The only host that gets the value. */
  Host: z.string().max(255),
  /** The only header that it is put into. */
  Header: z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'must be the name of a header')
    .default('Authorization'),
});
export type EgressSecretBody = Document<typeof EgressSecretBody>;

export const EgressSecretShown = EgressSecretBody.omit({ Value: true });
export type EgressSecretShown = Document<typeof EgressSecretShown>;

/** What would happen to a connection of a box, in each network that leads outside. */
export const EgressExplained = z.strictObject({
  Target: z.string(),
  Networks: z.array(
    z.strictObject({
      Network: z.string(),
      Allowed: z.boolean(),
      /** The policy that decides; empty: none does. */
      Policy: z.enum(['box', 'network', '']),
      /** The rule that decides, or why none does; empty: there is no policy. */
      Rule: z.string(),
      /** What else it depends on. */
      Notes: z.array(z.string()),
    }),
  ),
});
export type EgressExplained = Document<typeof EgressExplained>;
